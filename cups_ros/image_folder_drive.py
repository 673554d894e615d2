"""A stereo drive from two folders of pictures and a calibration file; `drive_player` plays it.

Layouts: left/ and right/, image_l/ and image_r/, or KITTI's image_0/ and image_1/, image_2/ and
    image_3/, image_02/data/
and image_03/data/; calibration from KITTI's calib.txt or from left.yaml and right.yaml as
camera_calibration writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from cups_core.errors import CalibrationError
from cups_core.rig import StereoRig
from cups_ros.camera_info import camera_infos
from cups_ros.drive_source import NANOSECONDS_PER_SECOND, BagError, Channel, DriveMessage
from cups_ros.kept_image import KeptImage
from cups_ros.stamps import time_message

# Folders of left and right pictures, and the names of their projection matrices in KITTI's
# calibration files.
LAYOUTS = (
    ("left", "right", "P0", "P1"),
    ("image_l", "image_r", "P0", "P1"),
    ("image_0", "image_1", "P0", "P1"),
    ("image_2", "image_3", "P2", "P3"),
    ("image_00/data", "image_01/data", "P_rect_00", "P_rect_01"),
    ("image_02/data", "image_03/data", "P_rect_02", "P_rect_03"),
)
CALIBRATION_FILES = ("calib.txt", "calib_cam_to_cam.txt")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
FRAMES = {"left": "left_optical_frame", "right": "right_optical_frame"}
# A file name of at least that many digits is a stamp in nanoseconds, a shorter one counts frames.
STAMP_DIGITS = 16


class ImageFolderDrive:
    """Pictures with equal names in a left and a right folder.

    Attributes:
        rig: the calibration at the size of the first picture.
    """

    is_compressed = False

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Look into the folder.

        Args:
            path: holds the folders and the calibration.
            rate_hz: frames per second, where the file names are not stamps.

        Raises:
            BagError: folders, pictures or calibration are missing.
        """
        layout = next((layout for layout in LAYOUTS if (path / layout[0]).is_dir()), None)
        if layout is None or not (path / layout[1]).is_dir():
            raise BagError(
                f"{path}: expected a bag, or two folders of pictures such as "
                f"{', '.join(f'{left} and {right}' for left, right, _, _ in LAYOUTS[:3])}; found "
                f"{_content(path)}"
            )
        self._left = _pictures(path / layout[0])
        self._right = _pictures(path / layout[1])
        if not self._left or self._left.keys() != self._right.keys():
            alone = sorted(self._left.keys() ^ self._right.keys())
            raise BagError(
                f"{path}: expected the same picture names in {layout[0]} and {layout[1]}, found "
                f"{len(self._left)} and "
                f"{len(self._right)} "
                f"pictures{', without partner: ' + ', '.join(alone[:5]) if alone else ''}"
            )
        self._rate_hz = rate_hz
        height, width = _picture(next(iter(self._left.values()))).shape[:2]
        self.rig = _calibration(path, layout[2], layout[3], width, height)
        self.description = f"{path.name}: {len(self._left)} stereo pictures of {width}x{height}"

    def messages(self) -> Iterator[DriveMessage]:
        """All messages, frame by frame.

        Raises:
            BagError: a picture cannot be decoded.
        """
        left_info, right_info = camera_infos(self.rig)
        kept = KeptImage("rgb8")
        for number, name in enumerate(self._left):
            stamp_ns = self._stamp_ns(number, name)
            frame = []
            for info, info_channel, side, picture, image_channel in (
                (left_info, Channel.LEFT_INFO, "left", self._left[name], Channel.LEFT_IMAGE),
                (right_info, Channel.RIGHT_INFO, "right", self._right[name], Channel.RIGHT_IMAGE),
            ):
                header = Header(stamp=time_message(stamp_ns), frame_id=FRAMES[side])
                info.header = header
                frame.append(DriveMessage(info_channel, stamp_ns, serialize_message(info)))
                image = serialize_message(kept.filled(header, _picture(picture)))
                frame.append(DriveMessage(image_channel, stamp_ns, image))
            # All of a frame is read before any of it is due.
            yield from frame

    def _stamp_ns(self, number: int, name: str) -> int:
        if name.isdigit() and len(name) >= STAMP_DIGITS:
            return int(name)
        # Not from 0, which means "the latest" to many tools.
        return NANOSECONDS_PER_SECOND + round(number * NANOSECONDS_PER_SECOND / self._rate_hz)


def _content(path: Path) -> str:
    names = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
    return ", ".join(names) or "nothing"


def _pictures(folder: Path) -> dict[str, Path]:
    found = (file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
    return {file.stem: file for file in sorted(found)}


def _picture(file: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise BagError(
            f"{file}: expected a PNG or JPEG picture, found something that cannot be decoded"
        )
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def _calibration(path: Path, left: str, right: str, width: int, height: int) -> StereoRig:
    if (path / "left.yaml").is_file() and (path / "right.yaml").is_file():
        left_P, right_P = (_camera_info_projection(path / f"{side}.yaml") for side in FRAMES)
    else:
        file = next((path / name for name in CALIBRATION_FILES if (path / name).is_file()), None)
        if file is None:
            raise BagError(
                f"{path}: no calibration; expected {' or '.join(CALIBRATION_FILES)} as KITTI "
                "writes it, or left.yaml "
                "and right.yaml as camera_calibration writes them"
            )
        left_P, right_P = _kitti_projections(file, left, right)
    baseline_m = (left_P[0, 3] - right_P[0, 3]) / left_P[0, 0] if left_P[0, 0] else 0.0
    try:
        return StereoRig(left_P[:, :3], float(baseline_m), width, height)
    except CalibrationError as error:
        raise BagError(f"{path}: {error}") from error


def _camera_info_projection(file: Path) -> NDArray[np.float64]:
    try:
        data = yaml.safe_load(file.read_text())["projection_matrix"]["data"]
        return np.array(data, np.float64).reshape(3, 4)
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise BagError(
            f"{file}: expected projection_matrix with 12 numbers under data ({error!r})"
        ) from error


def _kitti_projections(file: Path, left: str, right: str) -> tuple[NDArray[np.float64], ...]:
    """Two rows of twelve numbers, by their names or, where the file has none, the first two."""
    rows: dict[str, NDArray[np.float64]] = {}
    for line in file.read_text().splitlines():
        name, colon, numbers = line.rpartition(":")
        words = numbers.split()
        if len(words) == 12:
            rows[name if colon else f"P{len(rows)}"] = np.array(words, np.float64).reshape(3, 4)
    if left not in rows or right not in rows:
        raise BagError(
            f"{file}: expected {left} and {right} with 12 numbers each, found "
            f"{', '.join(rows) or 'neither'}"
        )
    return rows[left], rows[right]
