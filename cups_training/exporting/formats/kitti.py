"""The KITTI layout (odometry): color stereo sequences, calibration, times, true disparity.

pykitti and readers of stereo benchmarks take it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.rig import StereoRig
from cups_training.exporting import void
from cups_training.exporting.format import Format, NoSettings
from cups_training.exporting.frames import SIDES, ExportedDrive
from cups_training.exporting.spool import Row, Spool
from cups_training.synthetic.dataset import DISPARITY_UNITS_PER_PX
from cups_training.whole_files import read_picture, write_png, write_whole

KITTI_UNITS_PER_PX = 256


class Kitti(Format[NoSettings]):
    """sequences/<drive>/image_2, image_3, calib.txt, times.txt, timestamps.txt, disp_occ_0."""

    PURPOSE = "layout of KITTI odometry: image_2, image_3, calib.txt, times; disparity of truth"

    def write_drive(self, drive: ExportedDrive) -> Iterator[Row]:
        """See `Format`."""
        folder = f"{drive.split}/sequences/{drive.name}"
        stamps = drive.drive.stamps_ns
        for name, lines in (
            ("calib.txt", _calibration(drive.drive.rig)),
            (
                "times.txt",
                [f"{(stamp - stamps[0]) / NANOSECONDS_PER_SECOND:.9f}" for stamp in stamps],
            ),
            ("timestamps.txt", [_date(stamp) for stamp in stamps]),
        ):
            text = "".join(f"{line}\n" for line in lines)
            write_whole(self.target.root / folder / name, text.encode())
        for frame in drive.frames():
            stem = f"{frame.index:010d}"
            regions = [
                self.target.pictures.write(
                    frame, side, f"{folder}/{place}/{stem}", as_png=True
                ).regions
                for side, place in zip(SIDES, ("image_2", "image_3"), strict=True)
            ]
            truth = drive.truth / f"{frame.stamp_ns}_disparity.png"
            counts = {}
            if truth.exists():
                target = self.target.root / folder / "disp_occ_0" / f"{stem}.png"
                write_disparity(truth, target)
                counts["with_disparity"] = 1
            yield {"regions": regions, "counts": counts}

    def finish(self, spool: Spool) -> dict[str, Any]:
        """See `Format`."""
        return {}


def write_disparity(truth: Path, target: Path) -> None:
    """Disparity in KITTI's units; what 16 bits cannot hold there is not measured."""
    units = KITTI_UNITS_PER_PX // DISPARITY_UNITS_PER_PX
    disparity = read_picture(truth).astype(np.uint32) * units
    disparity[disparity > np.iinfo(np.uint16).max] = void.DISPARITY
    write_png(target, disparity.astype(np.uint16), is_map=True)


def _calibration(rig: StereoRig) -> list[str]:
    left = np.hstack([rig.K, np.zeros((3, 1))])
    right = left.copy()
    right[0, 3] = -rig.fx * rig.baseline_m
    # Readers demand the gray cameras and the laser: the pair takes their place, and without a
    # laser its frame is that of the left camera.
    rows = {"P0": left, "P1": right, "P2": left, "P3": right, "Tr": np.eye(3, 4)}
    return [
        f"{name}: {' '.join(f'{value:.12e}' for value in matrix.ravel())}"
        for name, matrix in rows.items()
    ]


def _date(stamp_ns: int) -> str:
    """As KITTI raw writes it, UTC."""
    seconds, rest = divmod(stamp_ns, NANOSECONDS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, timezone.utc):%Y-%m-%d %H:%M:%S}.{rest:09d}"
