"""Masks of all runs of the ensemble: how consistently they were found, and which are to be kept.

A mask is a set of patches; all of this is independent of how the masks came about.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.region_graph import Floats, Integers, RegionGraph, find_root
from cups_core.motion.sf2se3.matrix_nms import decay_scores, mask_overlap


@dataclass(frozen=True, eq=False)
class Votes:
    """M masks of several runs; those of one run are disjoint.

    Attributes:
        masks: bool (M, P), patches of each.
        run: int64 (M,), the run that found it.
    """

    masks: NDArray[np.bool_]
    run: Integers

    def consistency(self, area: NDArray[np.floating]) -> Floats:
        """Mean number of masks that cover a mask's points, float64 (M,); one per run at most."""
        weights = self.masks * area
        return np.asarray(weights @ self.masks.sum(0) / weights.sum(1))

    def agreement(self, overlap: Floats, runs: int) -> Floats:
        """Mean over all runs of the best intersection over union with a mask of the run, (M,)."""
        total = np.zeros(len(self.run))
        for run in np.unique(self.run):
            total += overlap[:, self.run == run].max(1)
        return total / runs


@kernel
def _pieces(start: Integers, neighbour: Integers, label: Integers) -> Integers:
    """First patch of the connected piece of one label that each patch lies in."""
    parent = np.arange(len(label))
    for p in range(len(label)):
        for e in range(start[p], start[p + 1]):
            if label[p] == label[neighbour[e]]:
                a, b = find_root(parent, p), find_root(parent, neighbour[e])
                if a != b:
                    parent[max(a, b)] = min(a, b)
    for p in range(len(label)):
        parent[p] = find_root(parent, p)
    return parent


def connected_masks(
    graph: RegionGraph, label: Integers, smallest: float
) -> list[NDArray[np.bool_]]:
    """Connected pieces, bool (P,) each, of the patches of one label, at least so many points large.

    Args:
        graph: P patches and their contacts.
        label: int64 (P,), 0 = none.
        smallest: grid points.
    """
    roots = _pieces(graph.start, graph.neighbour, label)
    size = np.bincount(roots, np.where(label > 0, graph.area, 0.0), len(label))
    return [roots == root for root in np.flatnonzero(size >= max(smallest, 1.0))]


def elect(
    votes: Votes,
    area: Floats,
    runs: int,
    minimum_consistency: float,
    minimum_score: float,
    decay: str,
) -> tuple[Integers, Floats]:
    """Indices of the masks to keep, by falling score, and the consistency (0 to 1) of all.

    A mask's score is its agreement with all runs: of several outlines of one object the one in the
    middle wins.

    Args:
        votes: M masks.
        area: (P,), size of each patch.
        runs: number of runs, whether or not they found anything.
        minimum_consistency: share of the runs that must cover a mask.
        minimum_score: score that must be left after suppression.
        decay: see `decay_scores`.
    """
    consistency = votes.consistency(area) / runs
    overlap = mask_overlap(votes.masks, area)
    score = votes.agreement(overlap, runs)
    candidates = np.flatnonzero(consistency >= minimum_consistency)
    decayed = decay_scores(overlap[np.ix_(candidates, candidates)], score[candidates], decay)
    kept = candidates[decayed >= minimum_score]
    return kept[np.argsort(-score[kept], kind="stable")], consistency
