"""Grows moving regions over the patch graph; the region segmenter turns the regions into objects.

Evidence is spread by a random walk (Grady 2006, with data priors), so that silent interiors follow
their outline. Cores grow into what the walk calls moving, and pieces of one object that an
unmeasured window separates are joined.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel, length
from cups_core.motion.region_graph import Floats, Integers, RegionGraph, find_root

COUPLING = 3.0
STATIC_PRIOR = 0.02
SWEEPS = 100
CONVERGED = 5e-3
CORE_EVIDENCE = 0.7
CORE_LIKENESS = 0.2
SMALLEST_CORE = 12.0
JOINING_ROUNDS = 4


@kernel
def spread_evidence(
    start: Integers, neighbour: Integers, coupling: Floats, moving: Floats, still: Floats
) -> Floats:
    """Probability of each patch that a random walker meets moving before static evidence.

    Solved by Gauss-Seidel sweeps.
    """
    count = len(moving)
    probability = np.where(moving > 0, 1.0, 0.0)
    for sweep in range(SWEEPS):
        change = 0.0
        for index in range(count):
            p = index if sweep % 2 == 0 else count - 1 - index
            weight = moving[p] + still[p]
            value = moving[p]
            for e in range(start[p], start[p + 1]):
                value += COUPLING * coupling[e] * probability[neighbour[e]]
                weight += COUPLING * coupling[e]
            value /= weight
            change = max(change, abs(value - probability[p]))
            probability[p] = value
        if change < CONVERGED:
            break
    return probability


@kernel
def _cores(
    start: Integers,
    neighbour: Integers,
    likeness: Floats,
    inside: NDArray[np.bool_],
    area: Floats,
    informative: Floats,
    residual: Floats,
) -> Integers:
    """Region number of each core patch, 0 = none.

    Like patches in contact, at least `SMALLEST_CORE` points together.
    """
    count = len(area)
    parent = np.arange(count)
    for p in range(count):
        for e in range(start[p], start[p + 1]):
            q = neighbour[e]
            if inside[p] and inside[q] and likeness[e] > CORE_LIKENESS:
                if informative[p] > 0.5 and informative[q] > 0.5:
                    size = max(
                        length(residual[p, 0], residual[p, 1]),
                        length(residual[q, 0], residual[q, 1]),
                    )
                    apart = length(residual[p, 0] - residual[q, 0], residual[p, 1] - residual[q, 1])
                    if apart > 0.4 * size + 1.5:
                        continue
                a, b = find_root(parent, p), find_root(parent, q)
                if a != b:
                    parent[max(a, b)] = min(a, b)
    size = np.zeros(count)
    for p in range(count):
        if inside[p]:
            size[find_root(parent, p)] += area[p]
    number = np.zeros(count, np.int64)
    region = np.zeros(count, np.int64)
    last = 0
    for p in range(count):
        root = find_root(parent, p)
        if inside[p] and size[root] >= SMALLEST_CORE:
            if number[root] == 0:
                last += 1
                number[root] = last
            region[p] = number[root]
    return region


@kernel
def _grow(
    start: Integers,
    neighbour: Integers,
    likeness: Floats,
    depth_gap: NDArray[np.bool_],
    inside: NDArray[np.bool_],
    region: Integers,
) -> None:
    """Every patch inside joins the core that it reaches over the most alike contacts (Dijkstra)."""
    queue = [(0.0, np.int64(p)) for p in range(len(region)) if region[p] > 0]
    heapq.heapify(queue)
    cost = np.where(region > 0, 0.0, np.inf)
    while len(queue) > 0:
        spent, p = heapq.heappop(queue)
        if spent > cost[p]:
            continue
        for e in range(start[p], start[p + 1]):
            q = neighbour[e]
            reached = spent + 1.0 + 8.0 * (1.0 - likeness[e])
            if inside[q] and not depth_gap[e] and reached < cost[q]:
                cost[q] = reached
                region[q] = region[p]
                heapq.heappush(queue, (reached, np.int64(q)))


@dataclass(frozen=True, eq=False)
class _Regions:
    """R regions (index 0 = none) described by their patches."""

    area: Floats
    known: Floats
    disparity: Floats
    measured_disparity: Floats
    residual: Floats
    has_motion: NDArray[np.bool_]


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    running = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(running, running[-1] / 2)])


def _describe(graph: RegionGraph, region: Integers) -> _Regions:
    count = int(region.max()) + 1
    area = np.asarray(np.bincount(region, graph.area, count), np.float64)
    known = np.bincount(region, graph.area * graph.known, count)
    certainty = np.bincount(region, graph.certainty, count)
    residual = np.stack(
        [np.bincount(region, graph.certainty * graph.residual[:, axis], count) for axis in (0, 1)],
        1,
    )
    disparity, measured = np.zeros(count), np.zeros(count)
    members = np.flatnonzero(region)
    order = members[np.argsort(region[members], kind="stable")]
    bounds = np.searchsorted(region[order], np.arange(1, count + 1))
    for number in range(1, count):
        patches = order[bounds[number - 1] : bounds[number]]
        disparity[number] = _weighted_median(graph.disparity[patches], graph.area[patches])
        if known[number] > 10 and known[number] > 0.3 * area[number]:
            measured[number] = _weighted_median(
                graph.disparity[patches], graph.area[patches] * graph.known[patches]
            )
    return _Regions(
        area,
        known / np.maximum(area, 1),
        disparity,
        measured,
        residual / np.maximum(certainty, 1e-9)[:, None],
        certainty > 0.5,
    )


def _region_contacts(graph: RegionGraph, region: Integers) -> tuple[Integers, Floats]:
    """Pairs (C, 2) of regions in contact and what lies along it (C, 5).

    Length, depth and motion pairs and agreement.
    """
    count = int(region.max()) + 1
    one = region[np.repeat(np.arange(len(region)), np.diff(graph.start))]
    other = region[graph.neighbour]
    between = (one > 0) & (other > one)
    keys, inverse = np.unique(one[between] * count + other[between], return_inverse=True)
    place = inverse.astype(np.int64)
    values = (
        graph.length,
        graph.depth_pairs,
        graph.depth_agree,
        graph.motion_pairs,
        graph.motion_agree,
    )
    sums = [np.bincount(place, column[between], len(keys)) for column in values]
    pairs = np.stack([keys // count, keys % count], axis=1)
    return pairs, np.stack(sums, axis=1).astype(np.float64)


def _alike(first: Floats, second: Floats, relative: float, absolute: float) -> bool:
    """Whether two mean residual motions, pixels, are the same but for the allowed difference."""
    largest = max(float(np.hypot(*first)), float(np.hypot(*second)))
    return float(np.hypot(*(first - second))) <= relative * largest + absolute


def _belong_together(regions: _Regions, a: int, b: int, contact: Floats) -> bool:
    length, depth_pairs, depth_agree, motion_pairs, motion_agree = contact
    if length < 0.8 * np.sqrt(min(regions.area[a], regions.area[b])):
        return False
    both_move = regions.has_motion[a] and regions.has_motion[b]
    if both_move and not _alike(regions.residual[a], regions.residual[b], 0.4, 1.5):
        return False
    if depth_pairs >= 0.25 * length:
        depth = depth_agree / depth_pairs
    else:
        # Nothing measured along the contact (a window, say): then the surfaces themselves must fit,
        # if they are known.
        one, other = regions.disparity[a], regions.disparity[b]
        unmeasured = min(regions.known[a], regions.known[b]) < 0.4
        depth = 0.55 if unmeasured or abs(one - other) < 0.15 * max(one, other) else 0.0
    motion = motion_agree / motion_pairs if motion_pairs >= 0.25 * length else 0.5
    return bool(min(depth, motion) >= 0.5 and depth + motion > 1.0)


def _join(graph: RegionGraph, region: Integers) -> Integers:
    """Joins regions in contact whose depth and motion agree, longest contact first.

    Repeats with what was joined until nothing joins, `JOINING_ROUNDS` times at most.
    """
    for _ in range(JOINING_ROUNDS):
        regions = _describe(graph, region)
        pairs, contacts = _region_contacts(graph, region)
        parent = np.arange(len(regions.area))
        measured, weight = regions.measured_disparity.copy(), regions.known * regions.area
        joined = False
        for index in np.argsort(-contacts[:, 0], kind="stable"):
            a, b = int(pairs[index, 0]), int(pairs[index, 1])
            if not _belong_together(regions, a, b, contacts[index]):
                continue
            low, high = sorted((find_root(parent, a), find_root(parent, b)))
            if low == high:
                continue
            depths = measured[[low, high]]
            if depths.min() > 0 and abs(depths[0] - depths[1]) > 0.2 * depths.max():
                continue
            measured[low] = depths[int(weight[high] > weight[low])]
            weight[low] += weight[high]
            parent[high] = low
            joined = True
        roots = np.array([find_root(parent, index) for index in range(len(parent))])
        region = np.unique(roots[region], return_inverse=True)[1].astype(np.int64)
        if not joined:
            break
    return region


def grow_regions(graph: RegionGraph) -> tuple[Integers, Floats]:
    """Regions of moving patches.

    Returns:
        region of each patch, int64 (P,), 0 = not moving, otherwise 1 to R; and the probability of
        each patch to move, float64 (P,).
    """
    moving = np.maximum(graph.evidence, 0.0)
    still = np.maximum(-graph.evidence, 0.0) + STATIC_PRIOR * graph.area
    probability = spread_evidence(graph.start, graph.neighbour, graph.coupling, moving, still)
    inside = probability > 0.5
    likeness = graph.coupling / graph.length
    sure = inside & (graph.evidence > CORE_EVIDENCE * graph.area)
    region = _cores(
        graph.start, graph.neighbour, likeness, sure, graph.area, graph.informative, graph.residual
    )
    depth_gap = graph.depth_pairs > np.maximum(0.3 * graph.length, 3.0 * graph.depth_agree)
    _grow(graph.start, graph.neighbour, likeness, depth_gap, inside, region)
    if region.any() and (region == 0).any():
        region = _join(graph, region)
    return region, probability


def bleeding_regions(graph: RegionGraph, region: Integers, reach: int) -> NDArray[np.bool_]:
    """Which regions (R + 1,) only repeat the motion of a nearer, larger one that they cling to.

    Patch-based flow carries an object's motion over its edge onto what lies behind it.

    Args:
        graph: the patches.
        region: region of each patch.
        reach: how far flow bleeds, grid points.
    """
    regions = _describe(graph, region)
    count = len(regions.area)
    drop = np.zeros(count, np.bool_)
    u, v = regions.residual.T
    length = np.hypot(u, v)
    apart = np.hypot(u[:, None] - u[None], v[:, None] - v[None])
    # Rows are the nearer regions, columns those that may only repeat them.
    repeats = apart <= 0.5 * np.maximum(length[:, None], length[None]) + 1.0
    repeats &= regions.has_motion[:, None] & regions.has_motion[None]
    repeats &= regions.area[None] <= regions.area[:, None]
    repeats &= regions.disparity[None] <= 0.88 * regions.disparity[:, None]
    repeats[0], repeats[:, 0] = False, False
    if not repeats.any():
        return drop
    number = region[graph.labels]
    square = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    for near in np.flatnonzero(repeats.any(1)):
        if drop[near]:
            continue
        close = cv2.dilate((number == near).astype(np.uint8), square) > 0
        covered = np.bincount(number[close], minlength=count)
        drop |= repeats[near] & (covered > 0.6 * regions.area)
    return drop
