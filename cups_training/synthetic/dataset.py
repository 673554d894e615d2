"""Writes synthetic drives as a dataset with truth: what offline tools read, and what judges them.

The command line calls it; an interrupted run goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cups_training.dataset.drive import DriveWriter
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.truth import FrameTruth
from cups_training.whole_files import write_png

DISPARITY_UNITS_PER_PX = 64
"""Truth disparity is stored as 16-bit PNG in these units; 0 = sky."""


def write_drive(
    drive: SyntheticDrive, name: str, root: Path, progress: Callable[[int], None] | None = None
) -> None:
    """Write one drive to `root`/drives/`name` and its truth to `root`/truth/`name`.

    Args:
        drive: what to write.
        name: of the drive's folders.
        root: folder of the dataset.
        progress: is told the number of frames written so far.
    """
    writer = DriveWriter(root / "drives" / name, drive.rig)
    stamps = [drive.stamp_ns(index) for index in range(len(drive))]
    for index, stamp in enumerate(stamps):
        truth_is_whole = (root / "truth" / name / f"{stamp}_disparity.png").exists()
        if not (writer.has(stamp) and truth_is_whole):
            frame, truth = drive.frame_with_truth(index)
            writer.add(frame)
            _write_truth(root / "truth" / name, truth)
        if progress:
            progress(index + 1)
    writer.finish(stamps)


def _write_truth(folder: Path, truth: FrameTruth) -> None:
    disparity = np.rint(truth.disparity * DISPARITY_UNITS_PER_PX).clip(0, 65535).astype(np.uint16)
    # The disparity comes last: where it is, the others are.
    for kind, picture in (
        ("semantic", truth.semantic),
        ("instance", truth.instance),
        ("moving", truth.moving_instance),
        ("disparity", disparity),
    ):
        write_png(folder / f"{truth.stamp_ns}_{kind}.png", picture, is_map=True)
