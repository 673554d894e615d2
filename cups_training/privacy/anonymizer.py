"""Detectors and blur as one: pictures go in, unreadable faces and plates come out, with a record.

`cups export` sends every picture that leaves the dataset through it.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_training.privacy.blurring import BlurSettings, blurred
from cups_training.privacy.regions import FrameContext, Region, RegionDetector, merged


@dataclass(frozen=True, eq=False)
class AnonymizedPicture:
    """A picture that may leave the dataset.

    Attributes:
        picture: uint8 (H, W, 3), RGB.
        regions: what was made unreadable in it, before widening.
    """

    picture: NDArray[np.uint8]
    regions: tuple[Region, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Number of regions by kind; kept for each picture, the provenance is made from them."""
        return dict(sorted(Counter(region.kind for region in self.regions).items()))


class Anonymizer:
    """Makes unreadable whatever any of the detectors finds; holds no state between pictures.

    Raises:
        InputError: there is no detector.
    """

    def __init__(self, detectors: Sequence[RegionDetector], settings: BlurSettings) -> None:
        if not detectors:
            raise InputError("anonymizer: expected at least one detector, found none")
        self.detectors = tuple(detectors)
        self.settings = settings

    def apply(self, frame: FrameContext) -> AnonymizedPicture:
        """The picture of `frame.side` without readable faces and plates.

        Raises:
            CupsError: a detector cannot work on this picture.
        """
        found = merged(region for one in self.detectors for region in one.regions(frame))
        return AnonymizedPicture(blurred(frame.picture, found, self.settings), tuple(found))


def provenance(
    anonymizer: Anonymizer | None, pictures: Iterable[Mapping[str, int]]
) -> dict[str, Any]:
    """What the manifest of an export says about privacy.

    Args:
        anonymizer: None = the user declined (`--no-privacy`).
        pictures: `AnonymizedPicture.counts` of every exported picture.
    """
    if anonymizer is None:
        return {
            "anonymized": False,
            "note": "faces and number plates were left as they are: --no-privacy was given",
        }
    rows = list(pictures)
    regions: Counter[str] = Counter()
    for row in rows:
        regions.update(row)
    return {
        "anonymized": True,
        "labels_made_on": "original pixels",
        "detectors": [one.provenance() for one in anonymizer.detectors],
        "blur": dataclasses.asdict(anonymizer.settings),
        "pictures": len(rows),
        "pictures_touched": sum(any(row.values()) for row in rows),
        "regions": dict(sorted(regions.items())),
    }
