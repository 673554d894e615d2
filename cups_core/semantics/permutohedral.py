"""Gaussian filtering of many channels over five-dimensional positions on a permutohedral lattice.

The mean field sends its messages between pixels of like place and colour through it (Adams, Baek
and Davis, "Fast high-dimensional filtering using the permutohedral lattice", Eurographics 2010).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel

DIMENSIONS = 5
CORNERS = DIMENSIONS + 1
_KEY_BITS = 12
_KEY_OFFSET = 1 << (_KEY_BITS - 1)
_EMPTY = np.int64(-1)

Floats = NDArray[np.float32]
Indices = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class PermutohedralLattice:
    """The simplices that hold a set of N points, M vertices in all.

    Attributes:
        corner: int32 (N, 6), vertices of each point's simplex, 0 to M - 1.
        weight: float32 (N, 6), barycentric, sum 1.
        neighbour: int32 (M, 6, 2), next vertices along each axis of the lattice, M = none.
        slots: int64 (T,), keys of the hash table that finds a vertex by its place.
        vertex_at: int32 (T,), vertex of each slot.
    """

    corner: Indices
    weight: Floats
    neighbour: Indices
    slots: NDArray[np.int64]
    vertex_at: Indices

    def blurred(self, values: Floats) -> Floats:
        """The points' values (N, C), spread and blurred: (M + 1, C) at the vertices, last row 0."""
        spread = _splat(values, self.corner, self.weight, len(self.neighbour))
        result: Floats = _blur(spread, self.neighbour)
        return result

    def sliced(self, at_vertices: Floats) -> Floats:
        """Values (N, C) at the points, from those (M + 1, C) at the vertices."""
        result: Floats = _slice(at_vertices, self.corner, self.weight)
        return result


def build_lattice(positions: Floats) -> PermutohedralLattice:
    """The lattice around points whose coordinates are in standard deviations of the filter.

    Args:
        positions: float32 (N, 5), absolute values below 200.
    """
    count = len(positions)
    size = 1 << int(np.ceil(np.log2(max(2 * CORNERS * count, 16))))
    slots = np.full(size, _EMPTY)
    vertex_at = np.empty(size, np.int32)
    corner = np.empty((count, CORNERS), np.int32)
    weight = np.empty((count, CORNERS), np.float32)
    keys = np.empty(CORNERS * count, np.int64)
    found = _insert(positions, slots, vertex_at, corner, weight, keys)
    neighbour = _link(keys[:found], slots, vertex_at)
    return PermutohedralLattice(corner, weight, neighbour, slots, vertex_at)


@kernel
def enclose(
    position: Floats,
    key: NDArray[np.int64],
    weight: Floats,
    scratch: Floats,
    rank: NDArray[np.int64],
) -> None:
    """Packed keys and barycentric weights (6,) of the corners around one position.

    `scratch` (6 + 6 + 7,) and `rank` (6,) are room to work in.
    """
    d = DIMENSIONS
    elevated, nearest, bary = scratch[:6], scratch[6:12], scratch[12:]
    spread = np.sqrt(2.0 / 3.0) * (d + 1)
    total = 0.0
    for j in range(d, 0, -1):
        value = position[j - 1] * spread / np.sqrt(j * (j + 1.0))
        elevated[j] = total - j * value
        total += value
    elevated[0] = total
    excess = 0
    for i in range(d + 1):
        step = int(np.floor(elevated[i] / (d + 1) + 0.5))
        nearest[i] = step * (d + 1)
        excess += step
        rank[i] = 0
    for i in range(d):
        for j in range(i + 1, d + 1):
            if elevated[i] - nearest[i] < elevated[j] - nearest[j]:
                rank[i] += 1
            else:
                rank[j] += 1
    for i in range(d + 1):
        rank[i] += excess
        if rank[i] < 0:
            rank[i] += d + 1
            nearest[i] += d + 1
        elif rank[i] > d:
            rank[i] -= d + 1
            nearest[i] -= d + 1
    bary[:] = 0.0
    for i in range(d + 1):
        value = (elevated[i] - nearest[i]) / (d + 1)
        bary[d - rank[i]] += value
        bary[d + 1 - rank[i]] -= value
    bary[0] += 1.0 + bary[d + 1]
    for corner in range(d + 1):
        packed = np.int64(0)
        for i in range(d):
            place = int(nearest[i]) + corner - (d + 1 if rank[i] > d - corner else 0)
            packed = (packed << _KEY_BITS) | (place + _KEY_OFFSET)
        key[corner] = packed
        weight[corner] = bary[corner]


@kernel
def find_slot(key: int, slots: NDArray[np.int64]) -> int:
    """Slot that holds `key`, or the empty one where it would go."""
    mask = len(slots) - 1
    mixed = np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)
    slot = int(np.int64(mixed >> np.uint64(20))) & mask
    while slots[slot] != _EMPTY and slots[slot] != key:
        slot = (slot + 1) & mask
    return slot


@kernel
def _insert(
    positions: Floats,
    slots: NDArray[np.int64],
    vertex_at: Indices,
    corner: Indices,
    weight: Floats,
    keys: NDArray[np.int64],
) -> int:
    key = np.empty(CORNERS, np.int64)
    scratch = np.empty(19, np.float32)
    rank = np.empty(CORNERS, np.int64)
    vertices = 0
    for n in range(len(positions)):
        enclose(positions[n], key, weight[n], scratch, rank)
        for k in range(CORNERS):
            slot = find_slot(key[k], slots)
            if slots[slot] == _EMPTY:
                slots[slot] = key[k]
                vertex_at[slot] = vertices
                keys[vertices] = key[k]
                vertices += 1
            corner[n, k] = vertex_at[slot]
    return vertices


@kernel
def _link(keys: NDArray[np.int64], slots: NDArray[np.int64], vertex_at: Indices) -> Indices:
    count = len(keys)
    neighbour = np.full((count, CORNERS, 2), count, np.int32)
    ones = np.int64(0)
    for _ in range(DIMENSIONS):
        ones = (ones << _KEY_BITS) | np.int64(1)
    for axis in range(CORNERS):
        # One step along an axis: 1 less in each coordinate, but the axis' own d more.
        step = -ones
        if axis < DIMENSIONS:
            step += np.int64(DIMENSIONS + 1) << (_KEY_BITS * (DIMENSIONS - 1 - axis))
        for v in range(count):
            for side in range(2):
                key = keys[v] + (step if side == 0 else -step)
                slot = find_slot(key, slots)
                if slots[slot] == key:
                    neighbour[v, axis, side] = vertex_at[slot]
    return neighbour


@kernel
def _splat(values: Floats, corner: Indices, weight: Floats, vertices: int) -> Floats:
    count, channels = values.shape
    result = np.zeros((vertices + 1, channels), np.float32)
    for n in range(count):
        for k in range(CORNERS):
            w = weight[n, k]
            target, source = result[corner[n, k]], values[n]
            for c in range(channels):
                target[c] += w * source[c]
    return result


@kernel
def _blur(values: Floats, neighbour: Indices) -> Floats:
    """Half a neighbour's value comes in from each side, one axis of the lattice after another."""
    rows, channels = values.shape
    other = np.zeros_like(values)
    half = np.float32(0.5)
    for axis in range(CORNERS):
        for v in range(rows - 1):
            target, own = other[v], values[v]
            one, two = values[neighbour[v, axis, 0]], values[neighbour[v, axis, 1]]
            for c in range(channels):
                target[c] = own[c] + half * (one[c] + two[c])
        values, other = other, values
    return values


@kernel
def _slice(at_vertices: Floats, corner: Indices, weight: Floats) -> Floats:
    count, channels = len(corner), at_vertices.shape[1]
    result = np.zeros((count, channels), np.float32)
    for n in range(count):
        target = result[n]
        for k in range(CORNERS):
            w, source = weight[n, k], at_vertices[corner[n, k]]
            for c in range(channels):
                target[c] += w * source[c]
    return result
