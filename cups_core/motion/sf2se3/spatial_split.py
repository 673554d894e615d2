"""Splits the inliers of one motion into pieces that lie apart: two cars may move alike.

The greedy selection makes an object of each piece.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.region_graph import find_root
from cups_core.motion.sf2se3.measured_points import Floats, Integers, MeasuredPoints

# Points this close across the viewing direction, metres, or in the image, cells, are linked unless
# their depths differ by more than the first and the noise.
LINK_M = 1.5
LINK_CELLS = 2
DEPTH_SIGMAS = 2.0


@kernel
def _roots(
    position: Floats, rows: Integers, columns: Integers, sigma_depth: Floats, reach: int
) -> Integers:
    count = len(position)
    parent = np.arange(count)
    for i in range(count):
        for j in range(i):
            behind = abs(position[i, 2] - position[j, 2])
            if behind > LINK_M + DEPTH_SIGMAS * (sigma_depth[i] + sigma_depth[j]):
                continue
            across = (position[i, 0] - position[j, 0]) ** 2 + (position[i, 1] - position[j, 1]) ** 2
            away = (rows[i] - rows[j]) ** 2 + (columns[i] - columns[j]) ** 2
            if across < LINK_M**2 or away <= reach**2:
                a, b = find_root(parent, i), find_root(parent, j)
                if a != b:
                    parent[max(a, b)] = min(a, b)
    for i in range(count):
        parent[i] = find_root(parent, i)
    return parent


def split_in_space(
    points: MeasuredPoints, chosen: NDArray[np.bool_], cell: int
) -> list[NDArray[np.bool_]]:
    """Single-linkage pieces of the chosen points, bool (N,) each, largest first.

    Args:
        points: N points, one per cell.
        chosen: bool (N,).
        cell: side of a cell, grid points.
    """
    index = np.flatnonzero(chosen)
    some = points[index]
    roots = _roots(some.position, some.rows, some.columns, some.sigma_depth, LINK_CELLS * cell)
    names, sizes = np.unique(roots, return_counts=True)
    pieces = []
    for name in names[np.argsort(-sizes, kind="stable")]:
        mask = np.zeros(len(chosen), np.bool_)
        mask[index[roots == name]] = True
        pieces.append(mask)
    return pieces
