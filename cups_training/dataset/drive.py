"""One recorded drive of a dataset: calibration and rectified stereo frames in order of time.

Labelling, fitting and training read drives; extraction and the synthetic suites write them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CalibrationError
from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_training.dataset.layout import CALIBRATION, FRAMES, PAIRS
from cups_training.whole_files import (
    FileError,
    json_line,
    json_rows,
    read_json,
    read_json_lines,
    read_picture,
    whole_file,
    write_json,
    write_png,
    write_whole,
)

SIDES = ("left", "right")
PICTURE_SUFFIXES = (".png", ".jpg", ".webp")


class Drive:
    """A folder with `calibration.json`, `frames.jsonl` and the pictures.

    Attributes:
        name: of the folder.
        path: the folder.
        rig: calibration of the rectified pictures.
        stamps_ns: header stamps of the left pictures, ascending, nanoseconds.
        clips: number of the clip of each frame; frames of one clip follow each other without a
            gap.

    Raises:
        FileError: a file is missing or unreadable, or the stamps do not ascend.
        CalibrationError: the calibration cannot be used.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        self.path = path
        self.rig = read_calibration(path / CALIBRATION)
        stamps, clips, self._names = [], [], []
        try:
            # Line by line, because the measures of a long drive take much memory.
            for row in json_rows(path / FRAMES):
                stamps.append(int(row["stamp_ns"]))
                clips.append(int(row.get("clip", 0)))
                self._names.append(_names(row))
        except (KeyError, TypeError, ValueError) as problem:
            raise FileError(
                f"{path / 'frames.jsonl'}: expected an integer stamp_ns in every line, {problem!r}"
            ) from problem
        self.stamps_ns, self.clips = tuple(stamps), tuple(clips)
        for before, after in zip(self.stamps_ns, self.stamps_ns[1:], strict=False):
            if after <= before:
                raise FileError(
                    f"{path / 'frames.jsonl'}: expected ascending stamps, found {after} after "
                    f"{before}; extract the drive again"
                )

    def __len__(self) -> int:
        return len(self.stamps_ns)

    def frame(self, index: int) -> StereoFrame:
        """The pictures of one frame.

        Raises:
            FileError: a picture is missing or broken.
            InputError: a picture has another size than the calibration says.
        """
        left, right = (_rgb(read_picture(self.picture(index, side))) for side in SIDES)
        return StereoFrame(left, right, self.stamps_ns[index], self.rig)

    def picture(self, index: int, side: str) -> Path:
        """The file of one picture; `side` is "left" or "right"."""
        return self.path / self._names[index][SIDES.index(side)]

    def frames(self) -> Iterator[StereoFrame]:
        """All frames, one at a time."""
        return (self.frame(index) for index in range(len(self)))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What `frames.jsonl` says of each frame; read anew and not kept."""
        return read_json_lines(self.path / FRAMES)

    def pairs(self) -> list[dict[str, Any]]:
        """The rows of `pairs.jsonl`: consecutive frames as recorded, kept or why not.

        Of a drive that was never selected from these are all pairs within its clips.

        Raises:
            FileError: the file is broken.
        """
        path = self.path / PAIRS
        if path.exists():
            return read_json_lines(path)
        return [
            {
                "first_ns": self.stamps_ns[second - 1],
                "second_ns": self.stamps_ns[second],
                "dt_ns": self.stamps_ns[second] - self.stamps_ns[second - 1],
                "kept": True,
                "reasons": [],
            }
            for second in range(1, len(self))
            if self.clips[second] == self.clips[second - 1]
        ]

    def kept_pairs(self) -> list[tuple[int, int]]:
        """Indices of the frames of each pair that is worth learning from.

        Raises:
            FileError: `pairs.jsonl` is broken, or names frames that are not there.
        """
        index_of = {stamp: index for index, stamp in enumerate(self.stamps_ns)}
        try:
            return [
                (index_of[row["first_ns"]], index_of[row["second_ns"]])
                for row in self.pairs()
                if row["kept"]
            ]
        except KeyError as problem:
            raise FileError(
                f"{self.path / 'pairs.jsonl'}: {problem} is missing, or no frame of frames.jsonl; "
                "extract the drive again"
            ) from problem

    def fingerprint(self) -> str:
        """Hash of the calibration and the list of frames: the same drive has the same one."""
        digest = hashlib.sha256()
        for name in (CALIBRATION, FRAMES):
            digest.update((self.path / name).read_bytes())
        return digest.hexdigest()


class DriveWriter:
    """Writes a drive frame by frame; without `finish` the folder is not a drive.

    An interrupted writer goes on: it asks which frames the folder `has`.

    Raises:
        FileError: the folder holds a drive of another rig.
    """

    def __init__(self, path: Path, rig: StereoRig, origin: Mapping[str, Any] | None = None) -> None:
        """Begin or go on.

        Args:
            path: the folder.
            rig: of the pictures.
            origin: what else `calibration.json` is to say, such as the cameras before
                rectification.
        """
        self._path = path
        calibration = path / CALIBRATION
        if calibration.exists():
            found = read_calibration(calibration)
            if _described(found) != _described(rig):
                raise FileError(
                    f"{path}: holds a drive of another rig ({found.width}x{found.height}, baseline "
                    f"{found.baseline_m} m); choose another folder or remove this one"
                )
        else:
            write_json(calibration, {**(origin or {}), **_described(rig)})

    def has(self, stamp_ns: int) -> bool:
        """Whether both pictures of this stamp are on disk."""
        return all((self._path / side / f"{stamp_ns}.png").exists() for side in SIDES)

    def add(self, frame: StereoFrame) -> None:
        """Write the pictures of one frame."""
        for side, picture in zip(SIDES, (frame.left, frame.right), strict=True):
            write_png(self._path / side / f"{frame.stamp_ns}.png", picture)

    def add_file(self, name: str, content: bytes) -> None:
        """Write a picture that is encoded already; `name` is such as "left/17.webp"."""
        write_whole(self._path / name, content)

    def finish(self, stamps_ns: list[int]) -> None:
        """List frames that were added: from now on the folder is a drive.

        Raises:
            FileError: a picture of a listed frame is missing.
        """
        self.finish_rows([{"stamp_ns": stamp} for stamp in stamps_ns])

    def finish_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """List frames with what else is known of them, as `Drive.rows` gives it back.

        Raises:
            FileError: a picture of a listed frame is missing.
        """
        lacking = 0
        with whole_file(self._path / FRAMES) as file:
            for row in rows:
                lacking += not all((self._path / name).exists() for name in _names(row))
                file.write(json_line(row))
            if lacking:
                raise FileError(f"{self._path}: pictures of {lacking} frames are missing")


def _names(row: Mapping[str, Any]) -> tuple[str, ...]:
    """The pictures of a frame, left and right, relative to the drive's folder."""
    return tuple(str(row.get(side, f"{side}/{row['stamp_ns']}.png")) for side in SIDES)


def read_calibration(path: Path) -> StereoRig:
    """The rig of a drive.

    Raises:
        FileError: the file is missing or no JSON.
        CalibrationError: an entry is missing or makes no sense.
    """
    found = read_json(path)
    try:
        return StereoRig(
            np.array(found["K"], np.float64),
            float(found["baseline_m"]),
            int(found["width"]),
            int(found["height"]),
        )
    except (KeyError, TypeError, ValueError) as problem:
        raise CalibrationError(
            f"{path}: expected K (3x3, pixels), baseline_m, width and height; {problem}"
        ) from problem


def _described(rig: StereoRig) -> dict[str, Any]:
    return {
        "K": rig.K.tolist(),
        "baseline_m": rig.baseline_m,
        "width": rig.width,
        "height": rig.height,
    }


def _rgb(picture: NDArray[Any]) -> NDArray[np.uint8]:
    if picture.ndim == 2:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    return picture
