"""The online chain: a stream of stereo frames in, moving objects out, one result per frame.

The vehicle node and the fast offline recipe both run it. The newest frame is the one that is
labelled: its motion is measured against the frame before it, so a result is never older than the
picture that caused it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.segments import MotionSegments


@dataclass(frozen=True, eq=False)
class OnlineResult:
    """What the online chain knows of the newest frame.

    Attributes:
        stamp_ns: stamp of the labelled frame.
        segments: moving objects in the left image; ids are track ids.
        disparity: float32 (H, W), left view, pixels, 0 = unknown.
        ego_motion: takes points from the previous camera's frame into this camera's frame.
        note: why the frame could not be judged (first frame, gap, too few points); empty when it
            was.
    """

    stamp_ns: int
    segments: MotionSegments
    disparity: NDArray[np.float32]
    ego_motion: RigidTransform
    note: str
