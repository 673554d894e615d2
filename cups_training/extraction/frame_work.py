"""What is done with one pair: its files pass or it is decoded, rectified, measured and encoded.

Extraction runs it in several threads; the row that it returns is all that is remembered of a pair.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frame_quality import measure
from cups_core.rig_validation import RigFault, measure_epipolar
from cups_training.dataset.drive import SIDES, DriveWriter
from cups_training.extraction.geometry import Geometry
from cups_training.extraction.source import SourceImage, SourcePair
from cups_training.extraction.stored_pictures import encoded, recognized

Picture = NDArray[np.uint8]
Row = dict[str, Any]


class PairTask(NamedTuple):
    """One pair and where its frame goes.

    Attributes:
        part: number of the drive's part.
        pair: the images.
        folder: the part's folder.
        writer: of the folder.
        known: the row that a former run made of this pair, if any.
        judges_rig: whether the rig is to be measured on this pair.
    """

    part: int
    pair: SourcePair
    folder: Path
    writer: DriveWriter
    known: Row | None
    judges_rig: bool


class LostPairError(InputError):
    """A pair cannot become a frame.

    Attributes:
        reason: under which it is counted.
    """

    def __init__(self, reason: str, example: str) -> None:
        super().__init__(example)
        self.reason = reason


class FrameWork:
    """Makes rows of pairs: {"stamp_ns", "right_stamp_ns"} and what else was asked for.

    `left`, `right`, `sha256` and whether the files `passed` where pictures are written, `quality`
    where it is measured, `rig_fault` where the rig is judged; or `lost` and `example` where the
    pair is lost.
    """

    def __init__(self, geometry: Geometry, form: str, *, measures: bool, writes: bool) -> None:
        """Prepare.

        Args:
            geometry: what happens to the pictures.
            form: of new files, and whether recorded ones pass ("keep").
            measures: whether quality is measured.
            writes: whether pictures are written.
        """
        self._geometry = geometry
        self._form = form
        self._measures = measures
        self._writes = writes

    def __call__(self, task: PairTask) -> tuple[int, Row | None]:
        """The part and the row of a pair; no row where the known one and its files are whole.

        Raises:
            FileError: the disk is full.
        """
        if task.known is not None and _is_whole(task.folder, task.known):
            return task.part, None
        row: Row = {
            "stamp_ns": task.pair.left.stamp_ns,
            "right_stamp_ns": task.pair.right.stamp_ns,
        }
        try:
            return task.part, row | self._made(task)
        except LostPairError as loss:
            return task.part, row | {"lost": loss.reason, "example": str(loss)}

    def _made(self, task: PairTask) -> Row:
        files = self._passing(task.pair) if self._writes else None
        passes = files is not None
        row: Row = {}
        if files is None or self._measures or task.judges_rig:
            pictures = self.pictures(task.pair)
            if self._measures:
                row["quality"] = measure(_gray(pictures[0])).row()
            if task.judges_rig:
                row["rig_fault"] = _rig_fault(*pictures)
            if self._writes and files is None:
                files = [encoded(picture, self._form) for picture in pictures]
        if self._writes:
            row["passed"] = passes
        for side, (content, suffix) in zip(SIDES, files or (), strict=False):
            row[side] = f"{side}/{task.pair.left.stamp_ns}{suffix}"
            row.setdefault("sha256", []).append(hashlib.sha256(content).hexdigest())
            task.writer.add_file(row[side], content)
        return row

    def pictures(self, pair: SourcePair) -> tuple[Picture, Picture]:
        """Both pictures as the dataset has them.

        Raises:
            LostPairError: one cannot be decoded or has another size than its calibration.
        """
        left, right = (self._decoded(*item) for item in zip(SIDES, pair, strict=True))
        return self._geometry.apply(left, right)

    def _decoded(self, side: str, image: SourceImage) -> Picture:
        try:
            picture = image.decode()
        except InputError as problem:
            raise LostPairError(f"{side}: cannot be decoded", str(problem)) from problem
        self._check_size(side, picture.shape[1], picture.shape[0])
        return picture

    def _check_size(self, side: str, width: int, height: int) -> None:
        expected = self._geometry.recorded_size
        if (width, height) != expected:
            raise LostPairError(
                f"{side}: another size than the calibration",
                f"expected {expected[0]}x{expected[1]} pixels as the calibration says, found "
                f"{width}x{height}: record the camera_info of this resolution",
            )

    def _passing(self, pair: SourcePair) -> list[tuple[bytes, str]] | None:
        """The recorded files with their suffixes, None where they have to be changed."""
        if self._form != "keep" or not self._geometry.is_identity:
            return None
        files = []
        for side, image in zip(SIDES, pair, strict=True):
            content = image.encoded()
            found = recognized(content) if content else None
            if content is None or found is None:
                return None
            self._check_size(side, found.width, found.height)
            files.append((content, found.suffix))
        return files


def _gray(picture: Picture) -> Picture:
    return np.asarray(
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) if picture.ndim == 3 else picture, np.uint8
    )


def _rig_fault(left: Picture, right: Picture) -> str:
    """What the pictures show to be wrong with the rig; empty for nothing or too little to tell."""
    measure = measure_epipolar(left, right)
    return "" if measure.fault in (None, RigFault.UNKNOWN) else measure.verdict


def _is_whole(folder: Path, row: Row) -> bool:
    """Whether the files of a row are on disk as they were written."""
    for side, expected in zip(SIDES, row.get("sha256", ()), strict=False):
        try:
            content = (folder / row[side]).read_bytes()
        except FileNotFoundError:
            return False
        if hashlib.sha256(content).hexdigest() != expected:
            return False
    return True
