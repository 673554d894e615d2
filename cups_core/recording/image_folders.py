"""Stereo drives kept as folders of pictures: where both cameras' files, stamps and calibration are.

The drive player and `cups import` read KITTI raw and odometry, Cityscapes sequences, EuRoC and
plain left and right folders through it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cups_core.calibration_files import (
    CameraPair,
    Size,
    read_camera_yaml,
    read_cityscapes,
    read_euroc,
    read_kitti,
)
from cups_core.errors import CalibrationError, RecordingError
from cups_core.image_decoding import FULL_BITS, decode_compressed
from cups_core.picture_files import picture_size
from cups_core.picture_stamps import (
    NANOSECONDS_PER_SECOND,
    stamps_from_file,
    stamps_from_names,
    stamps_from_rate,
)

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
# Folders of left and right pictures, and the names of their projections in KITTI's files; color
# before gray.
LAYOUTS = (
    ("left", "right", "P0", "P1"),
    ("image_l", "image_r", "P0", "P1"),
    ("image_2", "image_3", "P2", "P3"),
    ("image_0", "image_1", "P0", "P1"),
    ("image_02/data", "image_03/data", "P_rect_02", "P_rect_03"),
    ("image_00/data", "image_01/data", "P_rect_00", "P_rect_01"),
    ("mav0/cam0/data", "mav0/cam1/data", "", ""),
)
KITTI_FILES = ("calib.txt", "calib_cam_to_cam.txt")
STAMP_FILES = ("timestamps.txt", "times.txt")
CITYSCAPES = ("_sequence", "")
CITYSCAPES_NAME = re.compile(r"(?P<drive>.+_\d{6})_(?P<number>\d{6})_leftImg8bit")
CITYSCAPES_RATE_HZ = 17.0
DEFAULT_RATE_HZ = 10.0
# How deep below the given folder drives are looked for: KITTI raw has dates, then drives.
DEEPEST = 3


class StereoFiles(NamedTuple):
    """The two files of one moment with the stamps of each, nanoseconds."""

    left: Path
    right: Path
    stamp_ns: int
    right_stamp_ns: int


class EncodedFile(NamedTuple):
    """A picture file with the fields of a CompressedImage message."""

    format: str
    data: NDArray[np.uint8]


@dataclass(frozen=True)
class ImageFolder:
    """One drive; nothing but names is read before it is asked for.

    Attributes:
        name: of the drive.
        path: folder that holds it, for messages.
        left: files of the left camera by the name that both cameras share, in order.
        right: files of the right camera.
        read_cameras: calibrations for pictures of a size.
        calibration_files: what `read_cameras` reads.
        stamp_files: times of the left and the right pictures, one a line.
        numbers: of the pictures by name, where they count frames; without them files are counted.
        rate_hz: frames per second, where neither names nor files hold stamps.
    """

    name: str
    path: Path
    left: Mapping[str, Path]
    right: Mapping[str, Path]
    read_cameras: Callable[[Size], CameraPair]
    calibration_files: tuple[Path, ...]
    stamp_files: tuple[Path, Path] | None = None
    numbers: Mapping[str, int] | None = None
    rate_hz: float = DEFAULT_RATE_HZ

    @cached_property
    def cameras(self) -> CameraPair:
        """Calibrations of the left and the right camera.

        Raises:
            CalibrationError: the files cannot be used.
            InputError: the first picture is none.
            RecordingError: the first picture cannot be read.
        """
        first = next(iter(self.left.values()))
        return self.read_cameras(picture_size(read_encoded(first).data, str(first)))

    @property
    def camera_names(self) -> tuple[str, str]:
        """Where the calibrations come from, for messages: left and right."""
        return str(self.calibration_files[0]), str(self.calibration_files[-1])

    @property
    def unpaired(self) -> list[Path]:
        """Files without partner."""
        alone = self.left.keys() ^ self.right.keys()
        return sorted(
            file for side in (self.left, self.right) for name, file in side.items() if name in alone
        )

    def pairs(self) -> list[StereoFiles]:
        """All pairs in order of their names.

        Raises:
            RecordingError: the times cannot be read.
        """
        names = [name for name in self.left if name in self.right]
        stamps = [self._stamps(side, names) for side in (0, 1)]
        # 0 means "the latest" to many tools.
        shift = NANOSECONDS_PER_SECOND if stamps[0][:1] == [0] else 0
        return [
            StereoFiles(self.left[name], self.right[name], left + shift, right + shift)
            for name, left, right in zip(names, *stamps, strict=True)
        ]

    def _stamps(self, side: int, names: list[str]) -> list[int]:
        if (found := stamps_from_names(names)) is not None:
            return found
        if self.stamp_files is not None:
            return stamps_from_file(self.stamp_files[side], names)
        numbers = range(len(names)) if self.numbers is None else map(self.numbers.get, names)
        return stamps_from_rate([int(number or 0) for number in numbers], self.rate_hz)


def read_encoded(file: Path) -> EncodedFile:
    """The file as it is.

    Raises:
        RecordingError: it cannot be read.
    """
    try:
        return EncodedFile(file.suffix[1:], np.fromfile(file, np.uint8))
    except OSError as error:
        raise RecordingError(f"{file}: cannot be read ({error.strerror})") from error


def read_picture(file: Path, significant_bits: int = FULL_BITS) -> NDArray[np.uint8]:
    """The picture of a file, uint8 (H, W, 3) RGB, or (H, W) of a gray camera.

    Raises:
        RecordingError: the file cannot be read.
        InputError: it is cut or no picture.
    """
    return decode_compressed(read_encoded(file), str(file), significant_bits)


def find_image_folders(path: Path, rate_hz: float | None = None) -> list[ImageFolder]:
    """All drives in a folder, ordered by name.

    Args:
        path: a drive, a folder of drives, or the root of Cityscapes.
        rate_hz: frames per second, where neither names nor files hold stamps; 17 for Cityscapes
            and 10 for others unless given.

    Raises:
        RecordingError: there is none, or pictures or calibration of one are missing.
    """
    found = list(_found(path, rate_hz, DEEPEST)) if path.is_dir() else []
    if not found:
        layouts = ", ".join(f"{left} and {right}" for left, right, *_ in LAYOUTS)
        raise RecordingError(
            f"{path}: expected two folders of pictures such as {layouts}, or "
            f"leftImg8bit_sequence and rightImg8bit_sequence; found {_content(path)}"
        )
    names = [folder.name for folder in found]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RecordingError(
            f"{path}: expected drives of different names, found {', '.join(twice)} more than "
            "once: give their folders one after the other"
        )
    return sorted(found, key=lambda folder: folder.name)


def _found(path: Path, rate_hz: float | None, depth: int) -> Iterator[ImageFolder]:
    for suffix in CITYSCAPES:
        if (path / f"leftImg8bit{suffix}").is_dir():
            yield from _cityscapes(path, suffix, rate_hz or CITYSCAPES_RATE_HZ)
            return
    for left, right, *projections in LAYOUTS:
        if (path / left).is_dir():
            sides = (path / left, path / right)
            yield _drive(path, sides, (projections[0], projections[1]), rate_hz or DEFAULT_RATE_HZ)
            return
    if depth:
        for child in sorted(path.iterdir()):
            if child.is_dir():
                yield from _found(child, rate_hz, depth - 1)


def _drive(
    path: Path, sides: tuple[Path, Path], projections: tuple[str, str], rate_hz: float
) -> ImageFolder:
    left, right = (_pictures(side) for side in sides)
    if not left.keys() & right.keys():
        raise RecordingError(
            f"{path}: expected the same picture names in {sides[0].relative_to(path)} and "
            f"{sides[1].relative_to(path)}, found {len(left)} and {len(right)} pictures"
        )
    read_cameras, calibration_files = _calibration(path, sides, projections)
    stamp_files = None
    for name in STAMP_FILES:
        # KITTI raw keeps the times of each camera beside its pictures.
        own = (sides[0].parent / name, sides[1].parent / name)
        if all(file.is_file() for file in own):
            stamp_files = own
    return ImageFolder(
        path.resolve().name,
        path,
        left,
        right,
        read_cameras,
        calibration_files,
        stamp_files,
        rate_hz=rate_hz,
    )


def _calibration(
    path: Path, sides: tuple[Path, Path], projections: tuple[str, str]
) -> tuple[Callable[[Size], CameraPair], tuple[Path, ...]]:
    sensors = (sides[0].parent / "sensor.yaml", sides[1].parent / "sensor.yaml")
    if all(file.is_file() for file in sensors):
        return lambda size: read_euroc(*sensors), sensors
    cameras = (path / "left.yaml", path / "right.yaml")
    if all(file.is_file() for file in cameras):
        return (
            lambda size: (read_camera_yaml(cameras[0], size), read_camera_yaml(cameras[1], size)),
            cameras,
        )
    # KITTI raw keeps the calibration of a day beside its drives.
    for file in (folder / name for folder in (path, path.parent) for name in KITTI_FILES):
        if file.is_file():
            return partial(read_kitti, file, *projections), (file,)
    raise RecordingError(
        f"{path}: no calibration; expected {' or '.join(KITTI_FILES)} as KITTI writes it, "
        "left.yaml and right.yaml as camera_calibration writes them, or sensor.yaml of each "
        "camera as EuRoC has it"
    )


def _cityscapes(root: Path, suffix: str, rate_hz: float) -> Iterator[ImageFolder]:
    """City and sequence are a drive; its snippets lie apart in time by their frame numbers."""
    drives: dict[str, dict[str, Path]] = {}
    for file in sorted((root / f"leftImg8bit{suffix}").rglob("*_leftImg8bit.png")):
        if named := CITYSCAPES_NAME.fullmatch(file.stem):
            drives.setdefault(named["drive"], {})[named["number"]] = file
    for drive, left in drives.items():
        right = {
            number: partner
            for number, file in left.items()
            if (partner := _beside(file, root, f"rightImg8bit{suffix}")).is_file()
        }
        first = next(iter(left.values()))
        folder = _beside(first, root, "camera").parent
        files = tuple(sorted(folder.glob(f"{drive}_*_camera.json")))
        if not files or not right:
            raise RecordingError(
                f"{root}: {drive} lacks its {'rightImg8bit' if files else 'camera'} files: unpack "
                f"Cityscapes' {'rightImg8bit' if files else 'camera'} package here as well"
            )
        yield ImageFolder(
            drive,
            root,
            left,
            right,
            partial(_same_cameras, files),
            files,
            numbers={number: int(number) for number in left},
            rate_hz=rate_hz,
        )


def _beside(left: Path, root: Path, package: str) -> Path:
    """The file of another Cityscapes package that belongs to a left picture."""
    _, split, city = left.relative_to(root).parts[:3]
    kind = package.removesuffix("_sequence")
    name = left.stem.replace("leftImg8bit", kind) + (".json" if kind == "camera" else ".png")
    return root / package / split / city / name


def _same_cameras(files: tuple[Path, ...], size: Size) -> CameraPair:
    first, *others = (read_cityscapes(file, size) for file in files)
    for file, other in zip(files[1:], others, strict=True):
        if any(not np.array_equal(a.P, b.P) for a, b in zip(first, other, strict=True)):
            raise CalibrationError(
                f"{file}: expected the calibration of {files[0].name}, found another one: a drive "
                "has one rig; move the snippets of one of them to another folder"
            )
    return first


def _pictures(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    found = (file for file in folder.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES)
    return {file.stem: file for file in sorted(found)}


def _content(path: Path) -> str:
    names = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
    return ", ".join(names[:20]) or "nothing"
