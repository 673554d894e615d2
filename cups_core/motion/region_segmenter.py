"""The online motion segmenter.

Which parts of the image move by themselves, from one pair of stereo frames.

An object is moving when ego-motion cannot explain it, in units of what flow and disparity are worth
at each point. The online chain and the benchmark call it.
"""

from __future__ import annotations

from cups_core.motion.object_motion import fit_object_motion
from cups_core.motion.object_table import ObjectSettings, list_objects
from cups_core.motion.region_graph import build_region_graph
from cups_core.motion.region_growing import bleeding_regions, grow_regions
from cups_core.motion.scene_flow import SceneFlow, StereoMotion
from cups_core.motion.segmentation import MotionSegmenter
from cups_core.motion.segments import MotionSegments
from cups_core.motion.static_evidence import StaticEvidence

REGION_BLEED_RADIUS = 12
DEFAULTS = ObjectSettings()


class RegionSegmenter(MotionSegmenter):
    """Finds moving objects by growing regions over stereo depth and residual motion."""

    def __init__(self, settings: ObjectSettings = DEFAULTS) -> None:
        super().__init__(settings)

    def _find_objects(
        self,
        motion: StereoMotion,
        scene: SceneFlow,
        weighed: StaticEvidence,
        interval_s: float,
    ) -> tuple[MotionSegments, str]:
        graph = build_region_graph(weighed)
        of_patch, _ = grow_regions(graph)
        of_patch[bleeding_regions(graph, of_patch, REGION_BLEED_RADIUS)[of_patch]] = 0
        region = of_patch[graph.labels]
        fitted = fit_object_motion(scene, weighed, region, int(of_patch.max()))
        return list_objects(scene, weighed, region, fitted, interval_s, self._limits), ""
