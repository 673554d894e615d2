"""Small patches of one surface and one motion, and how well neighbouring patches fit together.

Region growing walks on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel, length
from cups_core.motion.scene_flow import Map, Mask
from cups_core.motion.static_evidence import StaticEvidence

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# Patches are cut along a raster of this many grid points, so none is larger than a small object.
PATCH_SIZE = 6
LEAST_MOTION_AGREEMENT = 0.1


@dataclass(frozen=True, eq=False)
class RegionGraph:
    """P patches and the contacts between them in compressed rows.

    Attributes:
        labels: int32 (h, w), patch of each grid point.
        area: float64 (P,), grid points.
        known: float64 (P,), share of points with a measured disparity.
        informative: float64 (P,), share of points whose flow can be believed.
        disparity: float64 (P,), mean, pixels.
        residual: float64 (P, 2), mean flow that ego-motion does not explain, weighted by certainty,
            pixels.
        certainty: float64 (P,), sum of 1 / (sigma^2 + 0.25) over informative points with evidence
            of motion.
        evidence: float64 (P,), sum over the points.
        start: int64 (P + 1,), contacts of patch p are start[p] to start[p + 1].
        neighbour: int64 (C,), the other patch of each contact.
        coupling: float64 (C,), summed likeness of the point pairs along the contact.
        length: float64 (C,), point pairs along the contact.
        depth_pairs: float64 (C,), pairs with both disparities known, and
        depth_agree: float64 (C,), those of them that lie on one surface.
        motion_pairs: float64 (C,), pairs with both flows believed, and
        motion_agree: float64 (C,), those of them that move alike.
    """

    labels: NDArray[np.int32]
    area: Floats
    known: Floats
    informative: Floats
    disparity: Floats
    residual: Floats
    certainty: Floats
    evidence: Floats
    start: Integers
    neighbour: Integers
    coupling: Floats
    length: Floats
    depth_pairs: Floats
    depth_agree: Floats
    motion_pairs: Floats
    motion_agree: Floats


@kernel
def find_root(parent: NDArray[np.int64], index: int) -> int:
    """Root of `index` in a union-find forest, with path halving."""
    while parent[index] != index:
        parent[index] = parent[parent[index]]
        index = parent[index]
    return index


@kernel
def _patches(
    disparity: Map,
    residual: Map,
    sigma: Map,
    ground: Mask,
    informative: Mask,
    labels: NDArray[np.int32],
) -> int:
    height, width = disparity.shape
    parent = np.arange(height * width)
    for i in range(height):
        for j in range(width):
            if ground[i, j]:
                continue
            for side in range(2):
                k, m = i + side, j + 1 - side
                if k >= height or m >= width or (k if side else m) % PATCH_SIZE == 0:
                    continue
                if ground[k, m]:
                    continue
                nearer = max(disparity[i, j], disparity[k, m])
                if abs(disparity[i, j] - disparity[k, m]) > max(0.7, 0.04 * nearer):
                    continue
                if informative[i, j] and informative[k, m]:
                    size = length(residual[i, j, 0], residual[i, j, 1])
                    apart = length(
                        residual[i, j, 0] - residual[k, m, 0], residual[i, j, 1] - residual[k, m, 1]
                    )
                    if apart > 0.3 * size + 4.0 * max(sigma[i, j], sigma[k, m]):
                        continue
                a, b = find_root(parent, i * width + j), find_root(parent, k * width + m)
                if a != b:
                    parent[max(a, b)] = min(a, b)
    number = np.full(height * width, -1, np.int32)
    count = 1
    for i in range(height):
        for j in range(width):
            if ground[i, j]:
                labels[i, j] = 0
                continue
            root = find_root(parent, i * width + j)
            if number[root] < 0:
                number[root] = count
                count += 1
            labels[i, j] = number[root]
    return count


@kernel
def _describe(
    labels: NDArray[np.int32],
    disparity: Map,
    known: Mask,
    residual: Map,
    sigma: Map,
    informative: Mask,
    evidence: Map,
    table: Floats,
) -> None:
    """Sums per patch.

    Columns: area, known, informative, disparity, residual x and y, weight, certainty, evidence.
    """
    for i in range(labels.shape[0]):
        for j in range(labels.shape[1]):
            row = table[labels[i, j]]
            row[0] += 1
            row[1] += known[i, j]
            row[2] += informative[i, j]
            row[3] += disparity[i, j]
            weight = 1.0 / (sigma[i, j] * sigma[i, j])
            row[4] += weight * residual[i, j, 0]
            row[5] += weight * residual[i, j, 1]
            row[6] += weight
            if informative[i, j] and evidence[i, j] > 0.5:
                row[7] += 1.0 / (sigma[i, j] * sigma[i, j] + 0.25)
            row[8] += evidence[i, j]


@kernel
def _contacts(
    labels: NDArray[np.int32],
    disparity: Map,
    known: Mask,
    residual: Map,
    sigma: Map,
    informative: Mask,
    count: int,
) -> tuple[Integers, Integers, Floats]:
    """Contacts in compressed rows; columns of the values as in `RegionGraph` from coupling on."""
    height, width = labels.shape
    start = np.zeros(count + 1, np.int64)
    for i in range(height):
        for j in range(width):
            for side in range(2):
                k, m = i + side, j + 1 - side
                if k < height and m < width and labels[i, j] != labels[k, m]:
                    start[labels[i, j] + 1] += 1
                    start[labels[k, m] + 1] += 1
    for p in range(count):
        start[p + 1] += start[p]
    fill = start[:-1].copy()
    neighbour = np.empty(start[-1], np.int64)
    values = np.zeros((start[-1], 6))
    for i in range(height):
        for j in range(width):
            for side in range(2):
                k, m = i + side, j + 1 - side
                if k >= height or m >= width or labels[i, j] == labels[k, m]:
                    continue
                a, b = labels[i, j], labels[k, m]
                nearer = max(disparity[i, j], disparity[k, m])
                step = abs(disparity[i, j] - disparity[k, m])
                like = np.exp(-0.5 * (step / max(0.7, 0.03 * nearer)) ** 2)
                depth_pair = known[i, j] and known[k, m]
                motion_pair = informative[i, j] and informative[k, m]
                motion_agree = False
                if motion_pair:
                    size = max(
                        length(residual[i, j, 0], residual[i, j, 1]),
                        length(residual[k, m, 0], residual[k, m, 1]),
                    )
                    noise = 3.0 * max(sigma[i, j], sigma[k, m])
                    apart = length(
                        residual[i, j, 0] - residual[k, m, 0], residual[i, j, 1] - residual[k, m, 1]
                    )
                    like *= max(
                        LEAST_MOTION_AGREEMENT, np.exp(-0.5 * (apart / (0.2 * size + noise)) ** 2)
                    )
                    motion_agree = apart < 0.3 * size + noise
                for one, other in ((a, b), (b, a)):
                    neighbour[fill[one]] = other
                    row = values[fill[one]]
                    row[0], row[1] = like, 1.0
                    row[2], row[3] = depth_pair, depth_pair and step < max(1.0, 0.06 * nearer)
                    row[4], row[5] = motion_pair, motion_agree
                    fill[one] += 1
    # One contact per pair of patches: sum what lies along it.
    slot = np.full(count, -1, np.int64)
    merged = np.zeros(count + 1, np.int64)
    end = 0
    for p in range(count):
        first = end
        for e in range(start[p], start[p + 1]):
            q = neighbour[e]
            if slot[q] < first:
                slot[q] = end
                neighbour[end] = q
                for c in range(6):
                    values[end, c] = values[e, c]
                end += 1
            else:
                for c in range(6):
                    values[slot[q], c] += values[e, c]
        merged[p + 1] = end
    return merged, neighbour[:end].copy(), values[:end].copy()


def build_region_graph(weighed: StaticEvidence) -> RegionGraph:
    """Cuts the grid into patches that no depth or motion edge crosses, and measures their contacts.

    Patch 0 is the road.
    """
    labels = np.empty(weighed.disparity.shape, np.int32)
    count = _patches(
        weighed.disparity,
        weighed.residual,
        weighed.sigma,
        weighed.ground,
        weighed.informative,
        labels,
    )
    table = np.zeros((count, 9))
    _describe(
        labels,
        weighed.disparity,
        weighed.known,
        weighed.residual,
        weighed.sigma,
        weighed.informative,
        weighed.evidence,
        table,
    )
    start, neighbour, values = _contacts(
        labels,
        weighed.disparity,
        weighed.known,
        weighed.residual,
        weighed.sigma,
        weighed.informative,
        count,
    )
    # There may be no road at all.
    area = np.maximum(table[:, 0], 1.0)
    table[:, 6] = np.maximum(table[:, 6], 1e-9)
    return RegionGraph(
        labels,
        area.copy(),
        table[:, 1] / area,
        table[:, 2] / area,
        table[:, 3] / area,
        table[:, 4:6] / table[:, 6:7],
        table[:, 7].copy(),
        table[:, 8].copy(),
        start,
        neighbour,
        *(np.ascontiguousarray(values[:, c]) for c in range(6)),
    )
