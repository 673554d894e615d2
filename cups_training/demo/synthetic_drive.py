"""The drive that the demo plays when nobody brings one; made once and kept beside the report."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from cups_training.synthetic.bag import write_bag
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings


def synthetic_drive(folder: Path, frames: int, seed: int, on_frame: Callable[[int], None]) -> Path:
    """The bag of a synthetic drive with truth topics; made if it is not there yet.

    Args:
        folder: where the bag is kept.
        frames: its length, at 10 frames per second.
        seed: which street and traffic.
        on_frame: called with the number of frames written so far.
    """
    bag = folder / f"synthetic_seed{seed}_{frames}frames"
    if not bag.is_dir():
        # Under another name until it is whole, so that an interrupted run leaves no half drive.
        unfinished = bag.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        write_bag(SyntheticDrive(DriveSettings(frames=frames), seed), unfinished, progress=on_frame)
        unfinished.rename(bag)
    return bag
