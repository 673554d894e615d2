"""Finds drives that show the same: recorded twice, cut out of each other, or driven alike.

What one recording shows must not be both trained on and validated with. Extraction keeps related
drives in one split and tells what crosses the splits all the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core import thumbnail
from cups_core.errors import InputError
from cups_core.frame_quality import FrameQuality
from cups_training.dataset.drive import Drive

SAMPLED_FRAMES = 100
ALIKE_SHARE = 0.1
"""Two thumbnails of which a smaller share of the cells differs show the same view."""
CANDIDATE_CORRELATION = 0.97
SAME_MOMENT_NS = 20_000_000
SAMPLED_MOMENTS = 9

Cells = NDArray[np.uint8]


@dataclass(frozen=True)
class Relation:
    """Two drives that show the same.

    Attributes:
        first: name of a drive.
        second: name of another one.
        kind: "one recording", "same files", "same time" or "same views".
        detail: what was found, one clause.
    """

    first: str
    second: str
    kind: str
    detail: str

    def row(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {"drives": [self.first, self.second], "kind": self.kind, "found": self.detail}


def related(
    drives: Sequence[Drive], provenances: Mapping[str, Mapping[str, Any] | None]
) -> list[Relation]:
    """Drives that come from one recording or show one moment: they belong into one split.

    Equal stamps alone mean nothing, because simulated clocks all begin at 0: the pictures decide.

    Args:
        drives: of a dataset.
        provenances: what is known of each drive's origin, by name; None where nothing is.
    """
    found = []
    for first, second in combinations(drives, 2):
        relation = _common_files(first.name, second.name, provenances) or _common_time(
            first, second
        )
        if relation:
            found.append(relation)
    return found


def same_views(first: Sequence[Drive], second: Sequence[Drive]) -> list[Relation]:
    """Drives of two splits of which pictures look the same, whatever their stamps.

    Args:
        first: drives of one split.
        second: drives of the other one.
    """
    cells = {drive.name: _sampled(drive) for drive in (*first, *second)}
    found = []
    for one, other in product(first, second):
        alike = _alike(cells[one.name], cells[other.name])
        if alike:
            detail = f"{alike} of {len(cells[one.name])} sampled frames look like one of the other"
            found.append(Relation(one.name, other.name, "same views", detail))
    return found


def _common_files(
    first: str, second: str, provenances: Mapping[str, Mapping[str, Any] | None]
) -> Relation | None:
    one, other = provenances[first], provenances[second]
    if one is None or other is None:
        return None
    if second in one["parts"] or first in other["parts"]:
        return Relation(first, second, "one recording", "its clock jumped back in between")
    files = {file["sha256"]: file["name"] for file in one["source"]["files"]}
    common = [files[file["sha256"]] for file in other["source"]["files"] if file["sha256"] in files]
    if not common:
        return None
    return Relation(first, second, "same files", f"both come from {', '.join(common)}")


def _common_time(first: Drive, second: Drive) -> Relation | None:
    moments = list(_moments(first, second))
    if not moments:
        return None
    step = max(1, len(moments) // SAMPLED_MOMENTS)
    sample = moments[::step]
    alike = sum(_look_alike(_cells(first, one), _cells(second, other)) for one, other in sample)
    if 2 * alike <= len(sample):
        return None
    detail = f"{len(moments)} frames were taken at one time and look alike"
    return Relation(first.name, second.name, "same time", detail)


def _moments(first: Drive, second: Drive) -> Iterator[tuple[int, int]]:
    """Indices of frames that both drives have from one time."""
    if not len(first) or not len(second):
        return
    if first.stamps_ns[0] > second.stamps_ns[-1] or second.stamps_ns[0] > first.stamps_ns[-1]:
        return
    for index, stamp in enumerate(first.stamps_ns):
        place = bisect_left(second.stamps_ns, stamp - SAME_MOMENT_NS)
        if place < len(second) and second.stamps_ns[place] <= stamp + SAME_MOMENT_NS:
            yield index, place


def _sampled(drive: Drive) -> Cells:
    """Thumbnails (N, 18, 32) of frames all over a drive."""
    step = max(1, len(drive) // SAMPLED_FRAMES)
    indices = range(0, len(drive), step)
    rows = drive.rows
    try:
        found = [FrameQuality.from_row(rows[index]).cells for index in indices]
    except InputError:
        # It was not measured when it was extracted.
        found = [_cells(drive, index) for index in indices]
    return np.array(found, np.uint8)


def _cells(drive: Drive, index: int) -> Cells:
    gray = cv2.cvtColor(drive.frame(index).left, cv2.COLOR_RGB2GRAY)
    return np.asarray(thumbnail.thumbnail_of(gray))


def _look_alike(first: Cells, second: Cells) -> bool:
    return bool(thumbnail.changed_cells(first, second) < ALIKE_SHARE * thumbnail.CELLS)


def _alike(first: Cells, second: Cells) -> int:
    """How many of the first thumbnails look like one of the second."""
    if not len(first) or not len(second):
        return 0
    correlation = _normalized(first) @ _normalized(second).T
    count = 0
    for index, row in enumerate(correlation):
        candidates = np.flatnonzero(row > CANDIDATE_CORRELATION)
        count += any(_look_alike(first[index], second[place]) for place in candidates)
    return count


def _normalized(cells: Cells) -> NDArray[np.float32]:
    flat = cells.reshape(len(cells), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return flat / np.maximum(length, 1e-6)
