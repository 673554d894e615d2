"""The optical flow that ego-motion alone would cause.

The online chain starts the flow search from it.

Patch search loses large motions, and a turning or fast camera causes nothing else: what is left to
find from this start is the change of the camera's motion and what moves by itself.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.rig import StereoRig

# The start need not be sharp at edges: one value for so many pixels in each direction.
STEP = 4
# What has no disparity is taken to be far away, where only the rotation counts.
UNKNOWN_DISPARITY_PX = 0.5


@kernel
def _predict(
    disparity: NDArray[np.float32],
    camera: NDArray[np.float64],
    R: NDArray[np.float64],
    t: NDArray[np.float64],
    flow: NDArray[np.float32],
) -> None:
    fx, fy, cx, cy, fb = camera[0], camera[1], camera[2], camera[3], camera[4]
    for i in range(flow.shape[0]):
        y = i * STEP + 0.5 * (STEP - 1)
        last = UNKNOWN_DISPARITY_PX
        for j in range(flow.shape[1]):
            x = j * STEP + 0.5 * (STEP - 1)
            d = disparity[i * STEP, j * STEP]
            if d > UNKNOWN_DISPARITY_PX:
                last = d
            z = fb / last
            a, b = (x - cx) / fx * z, (y - cy) / fy * z
            q = max(R[2, 0] * a + R[2, 1] * b + R[2, 2] * z + t[2], 0.5)
            u = fx * (R[0, 0] * a + R[0, 1] * b + R[0, 2] * z + t[0]) / q + cx - x
            v = fy * (R[1, 0] * a + R[1, 1] * b + R[1, 2] * z + t[1]) / q + cy - y
            # Nothing that leaves the image by more than its size can be found.
            flow[i, j, 0] = min(max(u, -2.0 * cx), 2.0 * cx)
            flow[i, j, 1] = min(max(v, -2.0 * cy), 2.0 * cy)


def predict_static_flow(
    disparity: NDArray[np.float32], rig: StereoRig, motion: RigidTransform
) -> NDArray[np.float32]:
    """Flow of a static scene, float32 (H, W, 2), pixels, finite everywhere.

    Args:
        disparity: float32 (H, W), pixels, 0 = unknown (then the last known value of the row is
            taken).
        rig: calibration at this size.
        motion: takes static points from this frame's camera to the other one's.
    """
    height, width = rig.shape
    camera = np.array([rig.fx, rig.fy, rig.cx, rig.cy, rig.focal_baseline])
    flow = np.empty(((height + STEP - 1) // STEP, (width + STEP - 1) // STEP, 2), np.float32)
    _predict(disparity, camera, motion.rotation, motion.translation_m, flow)
    full = cv2.resize(
        flow, (flow.shape[1] * STEP, flow.shape[0] * STEP), interpolation=cv2.INTER_LINEAR
    )
    return np.ascontiguousarray(full[:height, :width])
