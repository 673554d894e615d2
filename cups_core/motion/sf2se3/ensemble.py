"""Rigid-motion clustering (SF2SE3, Sommer et al., IROS 2022) as an ensemble of random runs.

The second motion segmenter, for offline use: slower than growing regions, it tells touching objects
apart by their motion in space and says how consistently each was found. Clip segmentation and the
benchmark call it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.motion.consistency import disparity_consistency, flow_consistency
from cups_core.motion.object_motion import fit_object_motion
from cups_core.motion.object_table import ObjectSettings, list_objects
from cups_core.motion.region_graph import build_region_graph
from cups_core.motion.scene_flow import SceneFlow, StereoMotion
from cups_core.motion.segmentation import MotionSegmenter
from cups_core.motion.segments import MotionSegments
from cups_core.motion.sf2se3.consensus import deviations, tail
from cups_core.motion.sf2se3.dense_assignment import assign_densely
from cups_core.motion.sf2se3.matrix_nms import decay_scores
from cups_core.motion.sf2se3.measured_points import measure_points
from cups_core.motion.sf2se3.noise_scale import truncated_noise_scale
from cups_core.motion.sf2se3.selection import select_motions
from cups_core.motion.static_evidence import StaticEvidence
from cups_core.settings import setting

CELL = 4
MIN_COMPONENT_PX = 128


@dataclass(frozen=True)
class ClusteringSettings(ObjectSettings):
    """Knobs of the rigid-motion ensemble."""

    runs: int = setting(8, "random runs of the ensemble", minimum=1, maximum=64)
    seed: int = setting(0, "seed of the random runs", minimum=0)
    minimum_consistency: float = setting(
        0.8, "share of the runs that must find an object", minimum=0.0, maximum=1.0
    )
    minimum_score: float = setting(
        0.6, "score that a mask must keep in non-maximum suppression", minimum=0.0, maximum=1.0
    )


class RigidMotionClustering(MotionSegmenter):
    """Finds moving objects by clustering scene flow into rigid motions."""

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
        s = self._settings
        reliable = weighed.known & weighed.informative & ~weighed.ground
        suspect = reliable & (weighed.evidence > 0)
        ego = weighed.ego_motion
        st = scene.stride
        fe = flow_consistency(motion.flow_forward, motion.flow_backward).error_px[::st, ::st]
        de = disparity_consistency(motion.disparity, motion.disparity_right).error_px[::st, ::st]
        D = 3.0
        sigma_d = max(.05, truncated_noise_scale(de[suspect][:, None], D)[0] / 2**.5)
        sigma_f = truncated_noise_scale(fe[suspect][:, None] / 2**.5, D)[0]
        self.sigma_d = sigma_d
        dense = measure_points(scene, weighed, suspect, sigma_d, sigma_f)
        # one per cell
        cells = dense.rows // CELL * 100000 + dense.columns // CELL
        order = np.lexsort((scene.flow_error[dense.rows, dense.columns], cells))
        first = np.unique(cells[order], return_index=True)[1]
        cell = CELL
        pts = dense[order[first]]
        gens = [np.random.default_rng([s.seed, run]) for run in range(s.runs)]
        accepted = select_motions(pts, cell, gens, ego, interval_s)
        graph = build_region_graph(weighed)
        static = deviations(dense, ego)
        masks, scores = [], []
        idx = np.full(graph.labels.shape, -1)
        idx[dense.rows, dense.columns] = np.arange(len(dense))
        self.debug = (pts, accepted, dense)
        self.labels = []
        for objects in accepted:
            if not objects:
                continue
            label, prob = assign_densely(
                graph, weighed, pts, objects, dense, idx, static, cell, scene.stride
            )
            lab = label[graph.labels]
            pr = prob[graph.labels]
            self.labels.append(lab)
            for k in range(1, len(objects) + 1):
                n, comp, stats, _ = cv2.connectedComponentsWithStats((lab == k).astype(np.uint8), connectivity=8)
                for c in range(1, n):
                    if stats[c, 4] * scene.stride**2 < MIN_COMPONENT_PX:
                        continue
                    m = comp == c
                    masks.append(m)
                    scores.append(pr[m].mean())
        region = np.zeros(graph.labels.shape, np.int64)
        number = 0
        cons = [0.0]
        if masks:
            M = np.array(masks)
            sc = np.array(scores)
            counts = M.sum(0)
            c = np.array([counts[m].mean() for m in M]) / s.runs
            keep = np.flatnonzero(c >= s.minimum_consistency)
            if len(keep):
                M, sc, c = M[keep], sc[keep], c[keep]
                dec = decay_scores(M.reshape(len(M), -1), sc)
                keep = np.flatnonzero(dec >= s.minimum_score)
                area = M.reshape(len(M), -1).sum(1)
                for k in keep[np.argsort(area[keep], kind="stable")]:
                    number += 1
                    region[M[k]] = number
                    cons.append(c[k])
        self.region = region
        fitted = fit_object_motion(scene, weighed, region, number)
        return list_objects(scene, weighed, region, fitted, interval_s, s, np.array(cons)), ""
