"""What the validation of a rig says of good drives and of the same drives with faults put in.

    python -m benchmark.rig_validation --drive FOLDER_OR_BAG [--drive ...] [--seeds 1 2] [--json]

Prints the table behind the limits in `cups_core/rig_validation.py`. A fault is put into the right
picture; the time shift takes the right picture of the next frame. Synthetic drives are rendered
with their right camera firing later.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.table import Row, print_rows
from cups_core.image_decoding import decode_compressed, decode_raw
from cups_core.recording.image_folders import find_image_folders, read_picture
from cups_core.recording.recording import open_recording
from cups_core.recording.stereo_topics import propose
from cups_core.rig_validation import measure_drive, measure_epipolar
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

Picture = NDArray[np.uint8]
Pairs = list[tuple[Picture, Picture]]
STEP = 4
SHIFTS_PX = (-5, -2, -1, -0.5, 0.5, 1, 2, 5)
ROLLS_DEG = (-0.5, -0.2, 0.2, 0.5)
SKEWS_MS = (0.0, 1.0, 10.0, 20.0, 50.0, 100.0)
SYNTHETIC = DriveSettings(width=640, height=320, frames=14)


def moved(picture: Picture, shift_px: float = 0.0, roll_deg: float = 0.0) -> Picture:
    """The picture shifted down and turned clockwise about its centre."""
    height, width = picture.shape[:2]
    way = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -roll_deg, 1.0)
    way[1, 2] += shift_px
    return np.asarray(
        cv2.warpAffine(
            picture,
            way,
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def faults(pairs: Pairs) -> Iterator[tuple[str, Pairs]]:
    """Every fault with the pairs that show it."""
    chosen = pairs[:-1:STEP]
    yield "none", chosen
    yield "swapped", [(right, left) for left, right in chosen]
    for shift in SHIFTS_PX:
        yield f"down {shift:g} px", [(a, moved(b, shift_px=shift)) for a, b in chosen]
    for roll in ROLLS_DEG:
        yield f"rolled {roll:g} deg", [(a, moved(b, roll_deg=roll)) for a, b in chosen]
    yield (
        "next frame's",
        [(left, later) for (left, _), (_, later) in zip(pairs, pairs[1:], strict=False)][::STEP],
    )


def late_cameras(seed: int) -> Iterator[tuple[str, Pairs]]:
    """A synthetic drive with a right camera that fires later and later."""
    for skew_ms in SKEWS_MS:
        drive = SyntheticDrive(replace(SYNTHETIC, time_skew_ms=skew_ms), seed)
        frames = [drive.frame(index) for index in range(0, len(drive), STEP)]
        yield f"{skew_ms:g} ms late", [(frame.left, frame.right) for frame in frames]


def rows(cases: Iterable[tuple[str, Pairs]]) -> list[Row]:
    """The table of one drive."""
    found: list[Row] = []
    for name, chosen in cases:
        measure = measure_drive(chosen)
        singly = [measure_epipolar(*pair).fault for pair in chosen]
        found.append(
            {
                "right picture": name,
                **measure.row(),
                "says": measure.fault.value if measure.fault else "good",
                "pairs found faulty": f"{sum(map(bool, singly))}/{len(singly)}",
            }
        )
    return found


def read_drive(path: Path) -> Pairs:
    """All pictures of a folder, or of the first stereo pair of topics in a bag."""
    if any(path.glob("*.mcap")) or any(path.glob("*.db3")) or path.is_file():
        return list(_bag(path))
    folder = find_image_folders(path)[0]
    return [(read_picture(files.left), read_picture(files.right)) for files in folder.pairs()]


def _bag(path: Path) -> Iterator[tuple[Picture, Picture]]:
    with open_recording([path]) as recording:
        topics = propose(recording.topics.values())[0]
        found: dict[int, dict[str, Picture]] = {}
        decode: Callable[..., Picture]
        for message in recording.messages([topics.left_image, topics.right_image]):
            is_raw = message.type_name.endswith("/Image")
            decode = decode_raw if is_raw else decode_compressed
            pair = found.setdefault(message.stamp_ns, {})
            pair[message.topic] = decode(recording.decoded(message), message.topic)
            if len(pair) == 2:
                yield pair[topics.left_image], pair[topics.right_image]


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drive", type=Path, action="append", default=[])
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="of synthetic drives")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    tables = {path.name: rows(faults(read_drive(path))) for path in given.drive}
    tables |= {f"synthetic {seed}": rows(late_cameras(seed)) for seed in given.seeds}
    print_rows(tables, given.json)


if __name__ == "__main__":
    main()
