"""Which pseudo-classes are things: those of which motion masks hold more than chance would.

Labelling counts for each clip, adds the counts of all clips up and splits the classes once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.settings import setting

Counts = NDArray[np.int64]
FIELDS = ("pixels", "pixels_in_masks", "masks", "objects", "votes", "vote_squares")


@dataclass(frozen=True, eq=False)
class ClassStatistics:
    """Counts per class; whole numbers, so that sums are exact in any order and any partition.

    Attributes:
        pixels: int64 (K,), pixels of the class once each mask has the class voted for it.
        pixels_in_masks: int64 (K,), of these inside motion masks.
        masks: int64 (K,), masks of the class, one per frame and object.
        objects: int64 (K,), objects of the class, however long each was seen.
        votes: int64 (K,), pixels of the class inside motion masks before the vote.
        vote_squares: int64 (K,), the votes of each object squared, summed over the objects.

    Raises:
        InputError: lengths or types differ, a count is negative, or more pixels are in masks than
            there are.
    """

    pixels: Counts
    pixels_in_masks: Counts
    masks: Counts
    objects: Counts
    votes: Counts
    vote_squares: Counts

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
    _, first = np.unique(instances[inside], return_index=True)
    pixels, in_masks, masks = (
        np.bincount(found, minlength=256)[:classes].astype(np.int64)
        for found in (semantic.ravel(), semantic[inside], semantic[inside][first])
    )
    return replace(
        ClassStatistics.none(classes), pixels=pixels, pixels_in_masks=in_masks, masks=masks
    )


def count_objects(
    votes: NDArray[np.int64], winners: Iterable[int], classes: int
) -> ClassStatistics:
    """Objects of one clip, each once however many frames it is in.

    Args:
        votes: int64 (N, at least `classes`), pixels of each class in each object.
        winners: class of each object; `classes` and above = none.
        classes: number of classes.
    """
    found = np.array([class_id for class_id in winners if class_id < classes], np.int64)
    known = votes[:, :classes]
    return replace(
        ClassStatistics.none(classes),
        objects=np.bincount(found, minlength=classes).astype(np.int64),
        votes=known.sum(axis=0),
        vote_squares=(known**2).sum(axis=0),
    )


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
        1.25,
        "how many times the share of all pixels a class must have inside masks (background)",
        minimum=1.0,
        maximum=100.0,
    )
    thing_confidence: float = setting(
        0.95,
        "how sure that must be, each object one sample however long it is seen (background)",
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
        share_in_masks: share of its pixels inside masks before the vote; 0 without a pixel.
        lift: that share over the one of all pixels.
        effective_objects: how many equally large objects the votes are worth.
        significance: by how many standard deviations the votes are more than `thing_lift` times
            what the class would get if masks fell on all pixels alike.
        normalised: share of its pixels inside masks after the vote, over the classes' sum.
    """

    class_id: int
    is_thing: bool
    share_in_masks: float
    lift: float
    effective_objects: float
    significance: float
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
    something else for every number of classes. The background test does not
    depend on that. If masks fell on all pixels alike, class k would get its part of the masks; it
    is a thing when it surely gets more than `thing_lift` times as much. Pixels of a mask, and masks
    of an object, go together: the sample is the object, and the variance of a sum over objects is
    the sum of their squares (Kish's effective sample size, Survey Sampling, 1965). Votes before the
    majority are counted, since a class that is often the smaller part of a moving object, as wheels
    are, is part of a thing too.
    """
    votes = statistics.votes.astype(np.float64)
    # Painting masks with their class moves pixels between classes inside masks only.
    n = statistics.pixels - statistics.pixels_in_masks + votes
    background = votes.sum() / max(n.sum(), 1)
    share = votes / np.maximum(n, 1)
    lift = share / background if background > 0 else np.zeros_like(share)
    spread = np.sqrt(np.maximum(statistics.vote_squares.astype(np.float64), 1))
    significance = (votes - settings.thing_lift * background * n) / spread
    painted = statistics.pixels_in_masks / np.maximum(statistics.pixels, 1)
    normalised = painted / painted.sum() if painted.sum() > 0 else np.zeros_like(painted)
    if settings.thing_test == "background":
        is_thing = significance > NormalDist().inv_cdf(settings.thing_confidence)
    else:
        is_thing = normalised > settings.thing_share
    order = share if settings.thing_test == "background" else normalised
    things = sorted(np.flatnonzero(is_thing).tolist(), key=lambda k: (-order[k], k))
    rows = (share, lift, (votes / spread) ** 2, significance, normalised)
    return ThingStuff(
        tuple(things),
        tuple(np.flatnonzero(~is_thing).tolist()),
        tuple(
            ClassEvidence(k, bool(is_thing[k]), *(float(row[k]) for row in rows))
            for k in range(statistics.classes)
        ),
    )
