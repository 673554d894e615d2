"""Finds drives that show the same: recorded twice, cut out of each other, or driven alike.

What one recording shows must not be both trained on and validated with. Extraction keeps related
drives in one split and tells what crosses the splits all the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core import thumbnail
from cups_core.errors import InputError
from cups_core.frame_quality import FrameQuality
from cups_training.dataset.checksums import read_checksums
from cups_training.dataset.drive import Drive
from cups_training.dataset.layout import FRAMES
from cups_training.whole_files import json_rows

ALIKE_SHARE = 0.1
"""Two thumbnails of which a smaller share of the cells differs show the same view."""
CANDIDATE_CORRELATION = 0.97
SAMPLED_FRAMES_OF_DRIVE, SAMPLED_FRAMES = 100, 20_000
SAMPLED_MOMENTS = 9
SAME_MOMENT_NS = 20_000_000
CLOCK_SET_NS = 10**18
"""September 2001: earlier stamps are those of a simulation, or count from the computer's start."""

Cells = NDArray[np.uint8]
Provenances = Mapping[str, Mapping[str, Any] | None]


@dataclass(frozen=True)
class Relation:
    """Two drives that show the same.

    Attributes:
        first: name of a drive.
        second: name of another one.
        kind: "one recording", "same files", "same pictures", "same time" or "same views".
        detail: what was found, one clause.
    """

    first: str
    second: str
    kind: str
    detail: str

    def row(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {"drives": [self.first, self.second], "kind": self.kind, "found": self.detail}


def related(drives: Sequence[Drive], provenances: Provenances) -> list[Relation]:
    """Drives that come from one recording or show one moment: they belong into one split.

    Args:
        drives: of a dataset.
        provenances: what is known of each drive's origin, by name; None where nothing is.
    """
    found = [*_one_recording(provenances), *_common_files(provenances), *_common_pictures(drives)]
    known = {(item.first, item.second): item for item in reversed(found)}
    for first, second in _overlapping(drives):
        if (first.name, second.name) not in known:
            relation = _common_time(first, second)
            if relation:
                known[first.name, second.name] = relation
    return [known[names] for names in sorted(known)]


def same_views(first: Sequence[Drive], second: Sequence[Drive]) -> list[Relation]:
    """Drives of two splits of which pictures look the same, whatever their stamps.

    Args:
        first: drives of one split.
        second: drives of the other one.
    """
    others = [(drive.name, cells) for drive in second for cells in _sampled(drive, len(second))]
    if not others:
        return []
    known = np.array([cells for _, cells in others])
    directions = _normalized(known)
    found = []
    for drive in first:
        sample = _sampled(drive, len(first))
        alike: Counter[str] = Counter()
        for cells, correlation in zip(sample, _normalized(sample) @ directions.T, strict=True):
            candidates = np.flatnonzero(correlation > CANDIDATE_CORRELATION)
            alike.update({others[k][0] for k in candidates if _look_alike(cells, known[k])})
        for name in sorted(alike):
            detail = f"{alike[name]} of {len(sample)} sampled frames look like one of the other"
            found.append(Relation(drive.name, name, "same views", detail))
    return found


def _one_recording(provenances: Provenances) -> Iterator[Relation]:
    for name, found in provenances.items():
        for part in found["parts"] if found else ():
            if part > name and part in provenances:
                yield Relation(name, part, "one recording", "they are parts of one drive")


def _common_files(provenances: Provenances) -> Iterator[Relation]:
    first_with: dict[str, str] = {}
    for name in sorted(provenances):
        for file in (provenances[name] or {"source": {"files": ()}})["source"]["files"]:
            first = first_with.setdefault(file["sha256"], name)
            if first != name:
                yield Relation(first, name, "same files", f"both come from {file['name']}")


def _common_pictures(drives: Sequence[Drive]) -> Iterator[Relation]:
    first_with: dict[bytes, str] = {}
    for drive in drives:
        common: Counter[str] = Counter()
        for name, digest in read_checksums(drive.path):
            if name.startswith("left/"):
                first = first_with.setdefault(bytes.fromhex(digest), drive.name)
                common[first] += first != drive.name
        for first, count in sorted((+common).items()):
            yield Relation(first, drive.name, "same pictures", f"{count} pictures are the same")


def _overlapping(drives: Sequence[Drive]) -> Iterator[tuple[Drive, Drive]]:
    """Drives of one camera that were recorded at one time, by a clock that was set."""
    active: list[Drive] = []
    timed = [drive for drive in drives if len(drive) and drive.stamps_ns[0] > CLOCK_SET_NS]
    for drive in sorted(timed, key=lambda drive: (drive.stamps_ns[0], drive.name)):
        active = [other for other in active if other.stamps_ns[-1] >= drive.stamps_ns[0]]
        for other in active:
            is_one_camera = drive.rig.baseline_m == other.rig.baseline_m
            if is_one_camera and np.array_equal(drive.rig.K, other.rig.K):
                first, second = sorted((drive, other), key=lambda item: item.name)
                yield first, second
        active.append(drive)


def _common_time(first: Drive, second: Drive) -> Relation | None:
    moments = list(_moments(first, second))
    if not moments:
        return None
    sample = moments[:: max(1, len(moments) // SAMPLED_MOMENTS)]
    alike = sum(_look_alike(_cells(first, one), _cells(second, other)) for one, other in sample)
    # Simulated clocks may all begin at one date: the pictures decide.
    if 2 * alike <= len(sample):
        return None
    detail = f"{len(moments)} frames were taken at one time and look alike"
    return Relation(first.name, second.name, "same time", detail)


def _moments(first: Drive, second: Drive) -> Iterator[tuple[int, int]]:
    """Indices of frames that both drives have from one time."""
    for index, stamp in enumerate(first.stamps_ns):
        place = bisect_left(second.stamps_ns, stamp - SAME_MOMENT_NS)
        if place < len(second) and second.stamps_ns[place] <= stamp + SAME_MOMENT_NS:
            yield index, place


def _sampled(drive: Drive, drives: int) -> Cells:
    """Thumbnails (N, 18, 32) of frames all over one of so many drives."""
    wanted = max(1, min(SAMPLED_FRAMES_OF_DRIVE, SAMPLED_FRAMES // drives))
    indices = range(0, len(drive), max(1, -(-len(drive) // wanted)))
    rows = islice(json_rows(drive.path / FRAMES), 0, None, indices.step)
    try:
        found = [FrameQuality.from_row(row).cells for row in rows]
    except InputError:
        # It was not measured when it was extracted.
        found = [_cells(drive, index) for index in indices]
    return np.array(found, np.uint8).reshape(-1, thumbnail.HEIGHT, thumbnail.WIDTH)


def _cells(drive: Drive, index: int) -> Cells:
    gray = cv2.cvtColor(drive.frame(index).left, cv2.COLOR_RGB2GRAY)
    return np.asarray(thumbnail.thumbnail_of(gray))


def _look_alike(first: Cells, second: Cells) -> bool:
    return bool(thumbnail.changed_cells(first, second) < ALIKE_SHARE * thumbnail.CELLS)


def _normalized(cells: Cells) -> NDArray[np.float32]:
    flat = cells.reshape(len(cells), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(length, 1e-6)
