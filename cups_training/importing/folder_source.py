"""The stereo pairs of a folder of pictures, as extraction takes them in.

`cups import` makes one for each drive; `extract_drive` writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cups_core.errors import InputError
from cups_core.image_decoding import SignificantBits
from cups_core.recording.image_folders import ImageFolder, read_encoded, read_picture
from cups_training.extraction.file_hashes import FileHashes
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.source import Drops, SourceImage, SourcePair

LOOKED_AT_PAIRS = 5
"""From so many first pairs the significant bits of 16-bit pictures are found."""


class FolderSource:
    """A drive kept as picture files; see `StereoSource`."""

    # The calibration file says what the pictures need; of rectified ones that is nothing.
    is_rectified = False

    def __init__(self, folder: ImageFolder, settings: ExtractionSettings) -> None:
        """Read calibration and stamps.

        Raises:
            CalibrationError: the calibration cannot be used.
            RecordingError: the times cannot be read.
            InputError: the first picture cannot be read.
        """
        self.name = folder.name
        self.drops = Drops()
        self._folder = folder
        self.left, self.right = folder.cameras
        self._files = folder.pairs()
        sides = [[getattr(files, side) for files in self._files] for side in ("left", "right")]
        self._hashes = dict(zip(("left", "right"), map(FileHashes, sides), strict=True))
        self._bits = self._significant_bits(settings.significant_bits)

    @property
    def length(self) -> int:
        """Number of pairs."""
        return len(self._files)

    def identity(self) -> dict[str, Any]:
        """Names and sizes of the pictures, their stamps, and the calibration."""
        pictures = [
            [
                *(f"{file.name} {file.stat().st_size}" for file in (files.left, files.right)),
                files.stamp_ns,
                files.right_stamp_ns,
            ]
            for files in self._files
        ]
        return {
            "folder": self.name,
            "pictures_sha256": _digest(pictures),
            "cameras": [self.left.row(), self.right.row()],
        }

    def pairs(self) -> Iterator[SourcePair]:
        """All pairs from the beginning."""
        self.drops = Drops()
        for file in self._folder.unpaired:
            side = "left" if file in self._folder.left.values() else "right"
            self.drops.add(f"{side}: no picture of the other camera", example=file.name)
        for hashes in self._hashes.values():
            hashes.start()
        for files in self._files:
            yield SourcePair(
                self._image(files.stamp_ns, files.left),
                self._image(files.right_stamp_ns, files.right),
            )

    def provenance(self) -> dict[str, Any]:
        """One hash over all pictures of each camera, the calibration files, the stamps' origin."""
        return {
            "kind": "image folder",
            "files": [_described(side, self._hashes[side].whole()) for side in ("left", "right")],
            "calibration": [
                {"name": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
                for file in self._folder.calibration_files
            ],
            "stamps": self._folder.stamp_source,
            "significant_bits": self._bits,
            "notes": [],
        }

    def _image(self, stamp_ns: int, file: Path) -> SourceImage:
        return SourceImage(
            stamp_ns, partial(read_picture, file, self._bits), partial(_stored_file, file)
        )

    def _significant_bits(self, given: int) -> int:
        bits = SignificantBits(given)
        for files in self._files[:LOOKED_AT_PAIRS]:
            for file in (files.left, files.right):
                try:
                    bits.look(read_encoded(file), str(file))
                except InputError:
                    # Told and counted when the pairs are read.
                    continue
        return bits.value


def _stored_file(file: Path) -> bytes | None:
    """The file; None where it cannot be read, which its decoding tells."""
    try:
        return file.read_bytes()
    except OSError:
        return None


def _described(side: str, files: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": f"{len(files)} {side} pictures",
        "bytes": sum(file["bytes"] for file in files),
        "sha256": _digest([file["sha256"] for file in files]),
    }


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
