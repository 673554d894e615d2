"""Which pseudo-classes are things: those of which motion masks hold more than chance would.

Labelling counts for each clip, adds the counts of all clips up and splits the classes once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from cups_core.errors import InputError
from cups_core.settings import setting

Counts = NDArray[np.int64]
FIELDS = ("pixels", "pixels_in_masks", "masks", "objects")


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Counts per class; whole numbers, so that sums are exact in any order and any partition.

    Attributes:
        pixels: int64 (K,), pixels of the class.
        pixels_in_masks: int64 (K,), of these inside motion masks.
        masks: int64 (K,), masks of the class, one per frame and object.
        objects: int64 (K,), objects of the class, however long each was seen.

    Raises:
        InputError: lengths or types differ, a count is negative, or more pixels are in masks than
            there are.
    """

    pixels: Counts
    pixels_in_masks: Counts
    masks: Counts
    objects: Counts

    def __post_init__(self) -> None:
        size = self.pixels.shape
        for name in FIELDS:
            found = getattr(self, name)
            if found.shape != size or found.ndim != 1 or found.dtype != np.int64:
                raise InputError(
                    f"class statistics, {name}: expected int64 {size}, found {found.dtype} "
                    f"{found.shape}"
                )
            if (found < 0).any():
                raise InputError(f"class statistics, {name}: found negative counts {found}")
        if (self.pixels_in_masks > self.pixels).any():
            raise InputError("class statistics: more pixels inside masks than there are")

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.pixels)

    @staticmethod
    def none(classes: int) -> ClassStatistics:
        """Nothing counted yet."""
        return ClassStatistics(*(np.zeros(classes, np.int64) for _ in FIELDS))

    def __add__(self, other: ClassStatistics) -> ClassStatistics:
        if self.classes != other.classes:
            raise InputError(
                f"class statistics: {self.classes} and {other.classes} classes cannot be added"
            )
        return ClassStatistics(*(getattr(self, name) + getattr(other, name) for name in FIELDS))

    def to_json(self) -> dict[str, list[int]]:
        """Lists by name."""
        return {name: getattr(self, name).tolist() for name in FIELDS}

    @staticmethod
    def from_json(found: Mapping[str, Any]) -> ClassStatistics:
        """The counts that `to_json` gave.

        Raises:
            InputError: a list is missing or holds something else than whole numbers.
        """
        try:
            lists = (np.array(found[name]).astype(np.int64, casting="safe") for name in FIELDS)
            return ClassStatistics(*lists)
        except (KeyError, TypeError, ValueError) as problem:
            raise InputError(
                f"class statistics: expected lists of whole numbers {FIELDS}, {problem!r}"
            ) from problem


def count_frame(
    semantic: NDArray[np.uint8], instances: NDArray[np.uint16], classes: int
) -> ClassStatistics:
    """Pixels and masks of one frame.

    Args:
        semantic: uint8 (H, W), every object painted with its class; values of `classes` and above
            have no class.
        instances: uint16 (H, W), 0 = no object.
        classes: number of classes.
    """
    inside = instances > 0
    pixels, in_masks = (
        np.bincount(found, minlength=256)[:classes].astype(np.int64)
        for found in (semantic.ravel(), semantic[inside])
    )
    _, first = np.unique(instances[inside], return_index=True)
    masks = np.bincount(semantic[inside][first], minlength=256)[:classes].astype(np.int64)
    return ClassStatistics(pixels, in_masks, masks, np.zeros(classes, np.int64))


def count_objects(class_of_objects: Iterable[int], classes: int) -> ClassStatistics:
    """Objects by class, each once however many frames it is in; other classes are left out."""
    found = [class_id for class_id in class_of_objects if class_id < classes]
    none = np.zeros(classes, np.int64)
    objects = np.bincount(np.array(found, np.int64), minlength=classes).astype(np.int64)
    return ClassStatistics(none, none, none, objects)


@dataclass(frozen=True)
class ThingStuffSettings:
    """When a class is a thing."""

    thing_test: str = setting(
        "background",
        "background: its share inside masks lies surely above the share of all pixels; "
        "normalised: its part of the sum of all shares is above thing_share, as in the paper",
        choices=("background", "normalised"),
    )
    thing_lift: float = setting(
        2.0,
        "how many times the share of all pixels a class must have inside masks (background)",
        minimum=1.0,
        maximum=100.0,
    )
    thing_confidence: float = setting(
        0.95,
        "probability with which this may not be chance, each object counted once (background)",
        minimum=0.5,
        maximum=0.999999,
    )
    thing_share: float = setting(
        0.08, "least part of the sum of all shares (normalised)", minimum=0.0, maximum=1.0
    )


@dataclass(frozen=True)
class ClassEvidence:
    """What is known of one class.

    Attributes:
        class_id: of the class.
        is_thing: the verdict.
        share_in_masks: m_k / n_k; 0 where the class has no pixel.
        lift: that share over the one of all pixels.
        chance: probability of so many objects if masks fell on all pixels alike, `thing_lift`
            times as often on this class.
        normalised: m_k / n_k over its sum over the classes.
    """

    class_id: int
    is_thing: bool
    share_in_masks: float
    lift: float
    chance: float
    normalised: float


@dataclass(frozen=True)
class ThingStuff:
    """The split of the classes.

    Attributes:
        things: thing classes, largest share inside masks first, of equal ones the lower class.
        stuff: all others, ascending.
        evidence: one per class, ascending.
    """

    things: tuple[int, ...]
    stuff: tuple[int, ...]
    evidence: tuple[ClassEvidence, ...]


def split_classes(
    statistics: ClassStatistics, settings: ThingStuffSettings = ThingStuffSettings()
) -> ThingStuff:
    """Tell things from stuff.

    The paper's form divides the shares by their sum over the classes, so its threshold means
    something else for every number of classes (METHOD 6.1, row 15). The background test asks two
    questions that do not depend on that: is the share of the class inside masks at least
    `thing_lift` times that of all pixels, and could that be chance? Pixels of a mask, and masks of
    an object, go together: the sample is the object. If masks fell on all pixels alike, an object
    would get class k with the class's share of the pixels; the number of objects of the class is
    then binomial.
    """
    n, m = statistics.pixels.astype(np.float64), statistics.pixels_in_masks.astype(np.float64)
    share = m / np.maximum(n, 1)
    background = m.sum() / max(n.sum(), 1)
    lift = share / background if background > 0 else np.zeros_like(share)
    normalised = share / share.sum() if share.sum() > 0 else np.zeros_like(share)
    expected = np.minimum(1.0, settings.thing_lift * n / max(n.sum(), 1))
    chance = binom.sf(statistics.objects - 1, int(statistics.objects.sum()), expected)
    if settings.thing_test == "background":
        is_thing = (lift > settings.thing_lift) & (chance < 1 - settings.thing_confidence)
    else:
        is_thing = normalised > settings.thing_share
    order = sorted(np.flatnonzero(is_thing).tolist(), key=lambda k: (-share[k], k))
    return ThingStuff(
        tuple(order),
        tuple(np.flatnonzero(~is_thing).tolist()),
        tuple(
            ClassEvidence(k, bool(is_thing[k]), *(float(row[k]) for row in rows))
            for k in range(statistics.classes)
            for rows in [(share, lift, chance, normalised)]
        ),
    )
