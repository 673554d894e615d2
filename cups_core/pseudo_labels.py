"""Fusion of motion and semantics into panoptic pseudo-labels: the class of each mask by vote.

Offline labelling calls it: masks come from motion, classes from semantics, and which class is a
thing from `thing_stuff`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.motion.segments import Box, areas_and_boxes
from cups_core.panoptic import PanopticMap, Segment
from cups_core.thing_stuff import ThingStuff

VOID_CLASS = 255
"""Value of a semantic map where no class is known; classes are 0 to 254."""

SemanticMap = NDArray[np.uint8]
IdMap = NDArray[np.uint16]


@kernel
def _count_votes(semantic: SemanticMap, instances: IdMap, votes: NDArray[np.int64]) -> None:
    for y in range(instances.shape[0]):
        for x in range(instances.shape[1]):
            if instances[y, x] > 0:
                votes[instances[y, x], semantic[y, x]] += 1


@dataclass(frozen=True, eq=False)
class Votes:
    """What the pixels of each object say that it is.

    Attributes:
        ids: of the objects, ascending.
        pixels: int64 (N, 255), pixels of each class in each object, over all frames.
    """

    ids: tuple[int, ...]
    pixels: NDArray[np.int64]

    def winners(self) -> dict[int, int]:
        """The class of each object: the one that most of its pixels have (CUPS, fusion).

        Of equal votes the lower class wins; `VOID_CLASS` where no pixel has a class.
        """
        has_class = self.pixels.any(axis=1)
        best = np.where(has_class, self.pixels.argmax(axis=1), VOID_CLASS)
        return dict(zip(self.ids, best.tolist(), strict=True))


def count_votes(semantics: Sequence[SemanticMap], instances: Sequence[IdMap]) -> Votes:
    """Pixels of each class in each object.

    Args:
        semantics: uint8 (H, W) for each frame, `VOID_CLASS` has no vote.
        instances: uint16 (H, W) for each frame, 0 = no object; an object has one id in all frames.

    Raises:
        InputError: maps of one frame differ in size.
    """
    largest = max((int(ids.max(initial=0)) for ids in instances), default=0)
    votes = np.zeros((largest + 1, VOID_CLASS + 1), np.int64)
    for semantic, ids in zip(semantics, instances, strict=True):
        if semantic.shape != ids.shape:
            raise InputError(
                f"vote: expected maps of one size, found {semantic.shape} and {ids.shape}"
            )
        _count_votes(semantic, ids, votes)
    present = np.flatnonzero(votes.any(axis=1))
    return Votes(tuple(present.tolist()), votes[present, :VOID_CLASS])


def paint_classes(
    semantic: SemanticMap, instances: IdMap, class_of: Mapping[int, int]
) -> SemanticMap:
    """The semantic map in which every object has the class that was voted for it."""
    table = np.zeros(int(instances.max(initial=0)) + 1, np.uint8)
    for number, class_id in class_of.items():
        if number < len(table):
            table[number] = class_id
    return np.where(instances > 0, table[instances], semantic)


@dataclass(frozen=True)
class LabelQuality:
    """How far a label can be trusted; people sort frames by it.

    Attributes:
        coverage: share of the image inside masks.
        consistency: agreement of what the past and the future say of the masks, 0 to 1; NaN where
            there is no mask.
        valid_fraction: share of the image where flow and disparity are confirmed.
        ignored: share of the image that training must leave out.
    """

    coverage: float
    consistency: float
    valid_fraction: float
    ignored: float


@dataclass(frozen=True, eq=False)
class PseudoLabel:
    """Panoptic pseudo-label of a left image.

    Attributes:
        stamp_ns: of the image.
        semantic: uint8 (H, W), class of each pixel, `VOID_CLASS` = unknown.
        instances: uint16 (H, W), 0 = no object.
        ignore: bool (H, W), pixels about which the label says nothing: of thing classes without a
            mask, inside masks whose class is stuff, and without a class.
        objects: one per id of the instance map, ascending; `is_thing` is False where its class is
            stuff, `track_id` names it over the whole drive.
        recipe: name and digest of the configuration that made it.
        quality: how far it can be trusted.

    Raises:
        InputError: the maps differ in size or type, or map and table do not list the same ids.
    """

    stamp_ns: int
    semantic: SemanticMap
    instances: IdMap
    ignore: NDArray[np.bool_]
    objects: tuple[Segment, ...]
    recipe: str
    quality: LabelQuality

    def __post_init__(self) -> None:
        size = self.instances.shape
        for name, found, expected in (
            ("semantic", self.semantic, np.uint8),
            ("instances", self.instances, np.uint16),
            ("ignore", self.ignore, np.bool_),
        ):
            if found.shape != size or found.ndim != 2 or found.dtype != expected:
                raise InputError(
                    f"pseudo-label at {self.stamp_ns} ns, {name}: expected "
                    f"{np.dtype(expected)} {size}, found {found.dtype} {found.shape}"
                )
        present = list(areas_and_boxes(self.instances))
        listed = [item.id for item in self.objects]
        if present != listed:
            raise InputError(
                f"pseudo-label at {self.stamp_ns} ns: the instance map holds ids {present}, the "
                f"table lists {listed}"
            )

    def panoptic(self, class_names: Mapping[int, str]) -> PanopticMap:
        """One segment for each object of a thing class and one for each stuff class; ignored = 0.

        Objects keep their ids, stuff follows with higher ones in the order of the classes.

        Raises:
            InputError: there are more segments than a uint16 map can name.
        """
        kept = tuple(item for item in self.objects if item.is_thing)
        segments = np.where(self.ignore, 0, self.instances).astype(np.uint16)
        is_stuff = ~self.ignore & (self.instances == 0)
        last = int(self.instances.max(initial=0))
        counts = np.bincount(self.semantic[is_stuff], minlength=VOID_CLASS + 1)
        present = np.flatnonzero(counts)
        if last + len(present) > np.iinfo(np.uint16).max:
            raise InputError(
                f"pseudo-label at {self.stamp_ns} ns: ids up to {last} leave no room for "
                f"{len(present)} stuff segments in a 16-bit map"
            )
        number_of = np.zeros(VOID_CLASS + 1, np.uint16)
        number_of[present] = last + 1 + np.arange(len(present))
        segments[is_stuff] = number_of[self.semantic[is_stuff]]
        measured = areas_and_boxes(segments)
        stuff = tuple(
            _stuff_segment(int(number_of[k]), int(k), class_names.get(int(k), ""), measured)
            for k in present
        )
        return PanopticMap(segments, kept + stuff)


def _stuff_segment(
    number: int, class_id: int, name: str, measured: Mapping[int, tuple[int, Box]]
) -> Segment:
    area, box = measured[number]
    unknown = np.full(3, np.nan)
    return Segment(number, class_id, name, False, 1.0, area, box, 0, unknown, unknown)


def ignored_pixels(semantic: SemanticMap, instances: IdMap, split: ThingStuff) -> NDArray[np.bool_]:
    """Where training must learn nothing (CUPS, targets).

    Thing pixels without a mask may belong to an object that did not move, masks of a stuff class
    contradict themselves, and without a class there is nothing to learn.
    """
    is_thing = np.zeros(VOID_CLASS + 1, bool)
    is_thing[list(split.things)] = True
    return np.asarray(
        (is_thing[semantic] != (instances > 0)) | (semantic == VOID_CLASS), dtype=np.bool_
    )


def make_pseudo_label(
    stamp_ns: int,
    semantic: SemanticMap,
    instances: IdMap,
    objects: Sequence[Segment],
    split: ThingStuff,
    recipe: str,
    quality: LabelQuality,
) -> PseudoLabel:
    """The label of one frame once it is known which classes are things.

    Args:
        stamp_ns: of the image.
        semantic: uint8 (H, W), every object painted with its class.
        instances: uint16 (H, W).
        objects: table of the instance map; `is_thing` and `quality.ignored` are set here.
        split: things and stuff.
        recipe: name and digest of the configuration.
        quality: of the frame.

    Raises:
        InputError: see `PseudoLabel`.
    """
    ignore = ignored_pixels(semantic, instances, split)
    known = tuple(replace(item, is_thing=item.class_id in split.things) for item in objects)
    quality = replace(quality, ignored=float(ignore.mean()))
    return PseudoLabel(stamp_ns, semantic, instances, ignore, known, recipe, quality)
