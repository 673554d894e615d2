"""Rigid-motion clustering (SF2SE3, Sommer et al., IROS 2022) as an ensemble of random runs.

The second motion segmenter, for offline use: slower than growing regions, it tells touching objects
apart by their motion in space and says how consistently each was found. Clip segmentation and the
benchmark call it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.object_table import ObjectSettings, list_objects
from cups_core.motion.region_graph import RegionGraph, build_region_graph
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import SceneFlow, StereoMotion
from cups_core.motion.segmentation import MotionSegmenter
from cups_core.motion.segments import MotionSegments
from cups_core.motion.sf2se3.dense_assignment import assign_densely
from cups_core.motion.sf2se3.object_fit import fit_rigid_objects
from cups_core.motion.sf2se3.painting import paint
from cups_core.motion.sf2se3.selection import RigidObject, select_motions
from cups_core.motion.sf2se3.suspects import Suspects, find_suspects
from cups_core.motion.sf2se3.turn_prior import TurnPrior
from cups_core.motion.sf2se3.votes import Votes, connected_masks, elect
from cups_core.motion.static_evidence import StaticEvidence
from cups_core.settings import setting


@dataclass(frozen=True)
class ClusteringSettings(ObjectSettings):
    """Knobs of the rigid-motion ensemble."""

    runs: int = setting(8, "random runs of the ensemble", minimum=1, maximum=64)
    seed: int = setting(0, "seed of the random runs", minimum=0)
    minimum_area_px: int = setting(
        128, "smallest object that a run may find, image pixels", minimum=1
    )
    minimum_consistency: float = setting(
        0.8, "share of the runs that must cover an object", minimum=0.0, maximum=1.0
    )
    minimum_agreement: float = setting(
        0.6,
        "mean overlap with the runs' masks that an object must keep after non-maximum suppression",
        minimum=0.0,
        maximum=1.0,
    )
    decay: str = setting(
        "gaussian", "how overlap lowers the rank of a mask", choices=("gaussian", "linear")
    )
    border_px: int = setting(
        0, "columns at the left and right border of the image that belong to no object", minimum=0
    )


class RigidMotionClustering(MotionSegmenter):
    """Finds moving objects by clustering scene flow into rigid motions, several times over.

    What is NaN in the estimates counts as unknown. Where a run loses a motion to arithmetic, the
    others stand and the result's note names the run.
    """

    def __init__(self, settings: ClusteringSettings = ClusteringSettings()) -> None:
        super().__init__(settings)
        self._settings = settings

    def _find_objects(
        self,
        motion: StereoMotion,
        scene: SceneFlow,
        weighed: StaticEvidence,
        interval_s: float,
    ) -> tuple[MotionSegments, str]:
        s, ego = self._settings, weighed.ego_motion
        suspects = find_suspects(motion, scene, weighed)
        prior = TurnPrior.between_frames(ego, interval_s)
        generators = [np.random.default_rng([s.seed, run]) for run in range(s.runs)]
        selection = select_motions(suspects.sample, suspects.cell, generators, ego, prior)
        graph = build_region_graph(weighed)
        votes, starts = self._vote(graph, weighed, suspects, selection.objects, scene.stride)
        kept, consistency = elect(
            votes, graph.area, s.runs, s.minimum_consistency, s.minimum_agreement, s.decay
        )
        # Larger masks first: what passes in front of a large object stays visible.
        size = votes.masks[kept] @ graph.area
        kept = kept[np.argsort(-size, kind="stable")]
        region = paint(votes.masks[kept][:, graph.labels])
        border = -(-s.border_px // scene.stride)
        region[:, :border] = region[:, region.shape[1] - border :] = 0
        fitted = fit_rigid_objects(
            suspects.points,
            region[suspects.points.rows, suspects.points.columns],
            [starts[index] for index in kept],
            ego,
            prior,
        )
        found = list_objects(
            scene, weighed, region, fitted, interval_s, s, np.append(0.0, consistency[kept])
        )
        lost = [str(run) for run, count in enumerate(selection.lost) if count]
        note = f"no finite motion in refinements of runs {', '.join(lost)}" if lost else ""
        return found, note

    def _vote(
        self,
        graph: RegionGraph,
        weighed: StaticEvidence,
        suspects: Suspects,
        objects: list[list[RigidObject]],
        stride: int,
    ) -> tuple[Votes, list[RigidTransform]]:
        """All masks of all runs, and the motion of each."""
        masks: list[NDArray[np.bool_]] = []
        runs: list[int] = []
        motions: list[RigidTransform] = []
        for run, found in enumerate(objects):
            if not found:
                continue
            label = assign_densely(graph, weighed, suspects, found, stride)
            for mask in connected_masks(graph, label, self._settings.minimum_area_px / stride**2):
                masks.append(mask)
                runs.append(run)
                motions.append(found[label[mask][0] - 1].motion)
        shape = (len(masks), len(graph.area))
        return Votes(np.array(masks, np.bool_).reshape(shape), np.array(runs, np.int64)), motions
