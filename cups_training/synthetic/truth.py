"""The truth of one frame: geometry, motion, occlusion, classes, instances, poses.

`drive` makes it from snapshots of the scene; tests, the benchmark and the bag writer read it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform


@dataclass(frozen=True, eq=False)
class ObjectTruth:
    """One vehicle or person, whether it is in view or not.

    Attributes:
        id: its value in the instance map, the same during the whole drive.
        kind: car, van, cyclist or pedestrian.
        is_moving: whether it moves over ground at this frame.
        pose: world from object (x forward, y left, z up, origin on the ground) at this frame.
        previous_pose: one frame interval before.
        next_pose: one frame interval later.
        velocity_mps: float64 (3,), over ground, in the frame of the left camera, m/s.
        size_m: length and width of its footprint, metres.
    """

    id: int
    kind: str
    is_moving: bool
    pose: RigidTransform
    previous_pose: RigidTransform
    next_pose: RigidTransform
    velocity_mps: NDArray[np.float64]
    size_m: tuple[float, float]


@dataclass(frozen=True, eq=False)
class FrameTruth:
    """Everything known of one frame; maps have the image's size and belong to the ideal rig.

    Attributes:
        stamp_ns: time of the frame, nanoseconds.
        disparity: float32, left view, pixels, 0 = sky.
        disparity_right: float32, right view, pixels, 0 = sky.
        depth: float32, left view, metres along the optical axis, infinite = sky.
        flow_forward: float32 (H, W, 2), left view, to the next frame, pixels; NaN where the point
            passes the camera.
        flow_backward: float32 (H, W, 2), left view, to the previous frame, pixels; NaN where it
            passes the camera.
        occluded_stereo: bool, left pixels that the right camera cannot see (hidden or outside).
        occluded_right: bool, right pixels that the left camera cannot see.
        occluded_forward: bool, left pixels that the next left image cannot show.
        occluded_backward: bool, left pixels that the previous left image cannot show.
        semantic: uint8, `StreetClass`.
        instance: uint16, number of the object, 0 = none; shadows and mirror images belong to what
            they fall on.
        moving: bool, pixels of objects that move over ground.
        objects: every object of the drive, ascending by id.
        camera: world from left camera at this frame.
        previous_camera: one frame interval before.
        next_camera: one frame interval later.
    """

    stamp_ns: int
    disparity: NDArray[np.float32]
    disparity_right: NDArray[np.float32]
    depth: NDArray[np.float32]
    flow_forward: NDArray[np.float32]
    flow_backward: NDArray[np.float32]
    occluded_stereo: NDArray[np.bool_]
    occluded_right: NDArray[np.bool_]
    occluded_forward: NDArray[np.bool_]
    occluded_backward: NDArray[np.bool_]
    semantic: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    moving: NDArray[np.bool_]
    objects: tuple[ObjectTruth, ...]
    camera: RigidTransform
    previous_camera: RigidTransform
    next_camera: RigidTransform

    @property
    def moving_instance(self) -> NDArray[np.uint16]:
        """uint16, the instance map of moving objects alone."""
        return np.where(self.moving, self.instance, np.uint16(0))
