"""Which predicted segment shares how many pixels with which true one: all that a score needs.

Every score of `cups_core.metrics` is counted from these tables. One takes kilobytes instead of an
image's megabytes, and a pseudo-class may be named after all images were read: the name is put into
the table.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.errors import InputError
from cups_core.panoptic import UNKNOWN_CLASS

SMALLEST_CAPACITY = 4096
# Knuth's multiplier, 2**64 divided by the golden ratio: it spreads keys that differ in few bits.
HASH = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class SegmentIntersections:
    """One row for each pair of a predicted and a true segment that share pixels.

    A segment is a pair of class and instance. Classes are `UNKNOWN_CLASS` where nothing is said.

    Attributes:
        predicted_class: uint16 (N,), a pseudo-class or, after `named`, a class of the truth.
        predicted_instance: uint16 (N,), 0 = no instance.
        truth_class: uint16 (N,).
        truth_instance: uint16 (N,), 0 = no instance.
        pixels: int64 (N,), shared pixels, above 0.
    """

    predicted_class: NDArray[np.uint16]
    predicted_instance: NDArray[np.uint16]
    truth_class: NDArray[np.uint16]
    truth_instance: NDArray[np.uint16]
    pixels: NDArray[np.int64]

    def __post_init__(self) -> None:
        shapes = {item.name: getattr(self, item.name).shape for item in fields(self)}
        if len(set(shapes.values())) > 1 or self.pixels.ndim != 1:
            raise InputError(f"segment intersections: expected columns of one length, got {shapes}")

    def confusion(self, clusters: int, classes: int) -> NDArray[np.int64]:
        """Pixels of each predicted class in each true one, where both sides say something.

        Args:
            clusters: number of predicted (pseudo-)classes.
            classes: number of true classes.

        Returns:
            int64 (clusters, classes).

        Raises:
            InputError: a class in the table lies beyond these numbers.
        """
        said = (self.predicted_class != UNKNOWN_CLASS) & (self.truth_class != UNKNOWN_CLASS)
        _check_range("predicted", self.predicted_class, clusters)
        _check_range("true", self.truth_class, classes)
        found = np.zeros((clusters, classes), np.int64)
        np.add.at(found, (self.predicted_class[said], self.truth_class[said]), self.pixels[said])
        return found

    def named(
        self, names: NDArray[np.integer], is_thing: NDArray[np.bool_]
    ) -> SegmentIntersections:
        """The table of the prediction whose pseudo-classes are replaced by classes of the truth.

        Segments that become the same one are merged. Stuff has no instances, on neither side.

        Args:
            names: integer (clusters,), the class of each pseudo-class.
            is_thing: bool (classes,), of the true classes.

        Raises:
            InputError: the table holds a class beyond the lists.
        """
        _check_range("predicted", self.predicted_class, len(names))
        _check_range("true", self.truth_class, len(is_thing))
        said = self.predicted_class != UNKNOWN_CLASS
        predicted = np.full(self.predicted_class.shape, UNKNOWN_CLASS, np.uint16)
        predicted[said] = names[self.predicted_class[said]]
        has_instances = np.zeros(UNKNOWN_CLASS + 1, bool)
        has_instances[: len(is_thing)] = is_thing
        return _table(
            _key(
                predicted,
                np.where(has_instances[predicted], self.predicted_instance, np.uint16(0)),
                self.truth_class,
                np.where(has_instances[self.truth_class], self.truth_instance, np.uint16(0)),
            ),
            self.pixels,
        )

    @property
    def void_pixels(self) -> int:
        """Pixels of which the prediction says nothing."""
        return int(self.pixels[self.predicted_class == UNKNOWN_CLASS].sum())


def intersect(
    *,
    predicted_class: NDArray[np.unsignedinteger],
    predicted_instance: NDArray[np.uint16],
    truth_class: NDArray[np.unsignedinteger],
    truth_instance: NDArray[np.uint16],
) -> SegmentIntersections:
    """Table of one image.

    Args:
        predicted_class: uint8 or uint16 (H, W); the type's largest value is void.
        predicted_instance: uint16 (H, W), 0 = no instance.
        truth_class: as `predicted_class`.
        truth_instance: uint16 (H, W), 0 = no instance.

    Raises:
        InputError: the maps differ in size or have other types.
    """
    maps = [predicted_class, predicted_instance, truth_class, truth_instance]
    described = [f"{item.dtype} {item.shape}" for item in maps]
    if len({item.shape for item in maps}) > 1 or predicted_class.ndim != 2:
        raise InputError(f"segment intersections: expected four maps of one size, got {described}")
    if {item.dtype for item in maps} - {np.dtype(np.uint8), np.dtype(np.uint16)}:
        raise InputError(f"segment intersections: expected uint8 or uint16 maps, got {described}")
    flat = [np.ascontiguousarray(item).ravel() for item in maps]
    voids = np.iinfo(predicted_class.dtype).max, np.iinfo(truth_class.dtype).max
    capacity = SMALLEST_CAPACITY
    done, keys, pixels = _count_pairs(*flat, voids, capacity)
    while not done:
        capacity *= 4
        done, keys, pixels = _count_pairs(*flat, voids, capacity)
    return _table(keys[pixels > 0], pixels[pixels > 0])


@kernel
def _count_pairs(predicted_class, predicted_instance, truth_class, truth_instance, voids, capacity):  # type: ignore[no-untyped-def]
    """Distinct keys and their pixels, or too few slots: a hash table with open addressing."""
    keys = np.zeros(capacity, np.uint64)
    pixels = np.zeros(capacity, np.int64)
    used, slot = 0, 0
    for i in range(len(predicted_class)):
        said, known = predicted_class[i] != voids[0], truth_class[i] != voids[1]
        key = np.uint64(predicted_class[i] if said else UNKNOWN_CLASS)
        key = key << np.uint64(16) | np.uint64(predicted_instance[i] if said else 0)
        key = key << np.uint64(16) | np.uint64(truth_class[i] if known else UNKNOWN_CLASS)
        key = key << np.uint64(16) | np.uint64(truth_instance[i] if known else 0)
        # A pixel mostly belongs to the same pair as its neighbor.
        if pixels[slot] == 0 or keys[slot] != key:
            slot = np.int64((key * HASH) >> np.uint64(40)) % capacity
            while pixels[slot] != 0 and keys[slot] != key:
                slot = (slot + 1) % capacity
            if pixels[slot] == 0:
                used += 1
                if 2 * used > capacity:
                    return False, keys, pixels
                keys[slot] = key
        pixels[slot] += 1
    return True, keys, pixels


def _key(*columns: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """Four 16-bit columns in one 64-bit number, the first in the highest bits."""
    key = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        key = key << np.uint64(16) | column.astype(np.uint64)
    return key


def _table(keys: NDArray[np.uint64], pixels: NDArray[np.int64]) -> SegmentIntersections:
    """Rows with the same key become one."""
    found, row = np.unique(keys, return_inverse=True)
    total = np.zeros(len(found), np.int64)
    np.add.at(total, row, pixels)
    first, second, third, fourth = (
        (found >> np.uint64(shift)).astype(np.uint16) for shift in (48, 32, 16, 0)
    )
    return SegmentIntersections(first, second, third, fourth, total)


def _check_range(side: str, classes: NDArray[np.uint16], number: int) -> None:
    beyond = np.unique(classes[(classes >= number) & (classes != UNKNOWN_CLASS)])
    if beyond.size:
        raise InputError(
            f"segment intersections: expected {side} classes below {number}, "
            f"found {beyond.tolist()}"
        )
