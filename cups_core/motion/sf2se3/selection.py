"""Greedy selection of the rigid motions that explain most of what ego-motion leaves unexplained.

All runs of the ensemble go through its rounds together; dense assignment takes what it selects.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.consensus import INLIER_PROBABILITY, soft_inliers
from cups_core.motion.sf2se3.measured_points import Floats, MeasuredPoints
from cups_core.motion.sf2se3.proposals import LARGEST_CLUSTER, link_rigid_pairs, propose_motions
from cups_core.motion.sf2se3.refinement import refine_motions
from cups_core.motion.sf2se3.spatial_split import split_in_space
from cups_core.motion.sf2se3.turn_prior import TurnPrior

ROUNDS = 6
PROPOSALS = 100
FAILURES = 2
PIECES_PER_ROUND = 3
MOST_OBJECTS = 10
# Soft inliers that a motion must explain beyond what is explained already.
LEAST_GAIN = 3.0


@dataclass(frozen=True, eq=False)
class RigidObject:
    """One accepted motion of one run and the points that follow it.

    Attributes:
        motion: takes its points from the camera frame at t to the one at t+1.
        inliers: bool (N,), the points that it explains, in one piece.
    """

    motion: RigidTransform
    inliers: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Selection:
    """What the runs selected.

    Attributes:
        objects: of each run, by order of acceptance.
        lost: of each run, how many refinements had no finite solution; those motions are left out.
    """

    objects: list[list[RigidObject]]
    lost: list[int]


class _Rounds:
    """State of all runs between the rounds."""

    def __init__(
        self,
        points: MeasuredPoints,
        cell: int,
        generators: list[np.random.Generator],
        ego_motion: RigidTransform,
        prior: TurnPrior,
    ) -> None:
        self.points, self.cell, self.prior = points, cell, prior
        self.generators = generators
        self.linked = link_rigid_pairs(points)
        runs = len(generators)
        static = soft_inliers(points, ego_motion.rotation[None], ego_motion.translation_m[None])
        # How well each point is explained by now; ego-motion is the first accepted motion.
        self.coverage = np.repeat(static, runs, 0)
        self.failures = np.zeros(runs, np.int64)
        self.objects: list[list[RigidObject]] = [[] for _ in range(runs)]
        self.lost = [0] * runs

    def step(self) -> bool:
        """One round of all runs that have not ended; False when none is left."""
        active = np.flatnonzero(self.failures < FAILURES)
        if len(active) == 0:
            return False
        runs, rotations, translations, inliers = self._best_proposals(active)
        took = self._accept(*self._refined_pieces(runs, rotations, translations, inliers))
        self.failures[np.setdiff1d(active, took)] += 1
        return True

    def _best_proposals(
        self, active: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], Floats, Floats, NDArray[np.bool_]]:
        """Of each active run the proposal that explains most, if it explains enough."""
        draws = np.stack(
            [self.generators[run].random((PROPOSALS, LARGEST_CLUSTER)) for run in active]
        )
        free = self.coverage[active] < INLIER_PROBABILITY
        rotations, translations = propose_motions(self.points, self.linked, free, draws, self.prior)
        usable = np.isfinite(translations).all(2)
        soft = np.zeros((*usable.shape, len(self.points)), np.float32)
        soft[usable] = soft_inliers(self.points, rotations[usable], translations[usable])
        gains = np.maximum(soft - self.coverage[active][:, None], 0).sum(2)
        place = np.arange(len(active)), gains.argmax(1)
        inliers = (soft[place] > INLIER_PROBABILITY) & free
        going = (gains[place] >= LEAST_GAIN) & inliers.any(1)
        return active[going], rotations[place][going], translations[place][going], inliers[going]

    def _refined_pieces(
        self,
        runs: NDArray[np.intp],
        rotations: Floats,
        translations: Floats,
        inliers: NDArray[np.bool_],
    ) -> tuple[list[int], Floats, Floats, NDArray[np.bool_]]:
        """The refined motions' inliers in pieces that lie apart, each with its own refined motion.

        Returns:
            Run, rotation, translation and points of each piece.
        """
        rotations, translations = refine_motions(
            self.points, rotations, translations, inliers, self.prior
        )
        soft = soft_inliers(self.points, rotations, translations)
        inliers = (soft > INLIER_PROBABILITY) & (self.coverage[runs] < INLIER_PROBABILITY)
        owner: list[int] = []
        pieces: list[NDArray[np.bool_]] = []
        for index in range(len(runs)):
            found = split_in_space(self.points, inliers[index], self.cell)[:PIECES_PER_ROUND]
            pieces += found
            owner += [index] * len(found)
        chosen = np.array(pieces, np.bool_).reshape(len(pieces), len(self.points))
        refined = refine_motions(
            self.points, rotations[owner], translations[owner], chosen, self.prior
        )
        return [int(runs[index]) for index in owner], *refined, chosen

    def _accept(
        self, runs: list[int], rotations: Floats, translations: Floats, pieces: NDArray[np.bool_]
    ) -> list[int]:
        """Accepts the pieces that still explain enough; the runs that took any."""
        finite = np.isfinite(rotations.sum((1, 2)) + translations.sum(1))
        soft = soft_inliers(self.points, rotations, translations)
        soft = np.where(pieces & finite[:, None], soft, np.float32(0))
        took = []
        for index, run in enumerate(runs):
            self.lost[run] += not finite[index]
            gain = np.maximum(soft[index] - self.coverage[run], 0).sum()
            if gain < LEAST_GAIN or len(self.objects[run]) >= MOST_OBJECTS:
                continue
            took.append(run)
            motion = RigidTransform(rotations[index], translations[index])
            self.objects[run].append(RigidObject(motion, soft[index] > INLIER_PROBABILITY))
            self.coverage[run] = np.maximum(self.coverage[run], soft[index])
        return took


def select_motions(
    points: MeasuredPoints,
    cell: int,
    generators: list[np.random.Generator],
    ego_motion: RigidTransform,
    prior: TurnPrior,
) -> Selection:
    """Rigid objects of each run.

    A round proposes motions, takes the one that explains most, refines it, splits its points in
    space and accepts the pieces that explain enough. The second round without success ends a run.

    Args:
        points: one point per cell, none of which ego-motion explains.
        cell: side of a cell, grid points.
        generators: one per run.
        ego_motion: motion of the static scene.
        prior: how objects turn.
    """
    rounds = _Rounds(points, cell, generators, ego_motion, prior)
    for _ in range(ROUNDS):
        if not rounds.step():
            break
    return Selection(rounds.objects, rounds.lost)
