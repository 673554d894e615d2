"""A synthetic stereo drive: pictures of a rig with imperfect cameras, and their exact truth.

Tests, benchmarks, the bag writer and the demo take frames from it; nothing is kept but the last few
snapshots.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_core.frames import NANOSECONDS_PER_SECOND, StereoFrame
from cups_core.rig import StereoRig
from cups_training.synthetic.camera import Camera
from cups_training.synthetic.casting import MISSED, Hits
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.correspondence import transfer
from cups_training.synthetic.rendering import cast_pixels, render
from cups_training.synthetic.scene import Scene, Snapshot
from cups_training.synthetic.sensor import Sensor, expose, sample_sensors
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.truth import FrameTruth, ObjectTruth

FIRST_STAMP_NS = 1_700_000_000 * NANOSECONDS_PER_SECOND
_MOVING_MPS = 0.05
_KEPT = 4


class SyntheticDrive:
    """A drive through a street; the same settings and seed give the same frames.

    Args:
        settings: what it looks like.
        seed: which street, traffic and light, and which draw of the cameras' imperfections.

    Attributes:
        rig: the calibration that a consumer is given.
        scene: the street with its traffic.
    """

    def __init__(self, settings: DriveSettings, seed: int) -> None:
        self.settings = settings
        self.seed = seed
        focal = settings.width / (2 * math.tan(math.radians(settings.field_of_view_deg) / 2))
        # The principal point is a little off the middle and the horizon above it, as on real rigs.
        K = np.array(
            [
                [focal, 0.0, 0.503 * settings.width - 0.5],
                [0.0, focal, 0.47 * settings.height - 0.5],
                [0.0, 0.0, 1.0],
            ]
        )
        self.rig = StereoRig(K, settings.baseline_m, settings.width, settings.height)
        self.scene = Scene(settings, seed)
        self.sensors = sample_sensors(np.random.default_rng([seed, 2]), settings)
        self._snapshot = lru_cache(_KEPT)(self.scene.at)
        self._left_hits = lru_cache(1)(
            lambda index: cast_pixels(self._at(index), self._left(index))
        )
        self._right_hits = lru_cache(1)(
            lambda index: cast_pixels(self._at(index), self._left(index).right_neighbour())
        )

    def __len__(self) -> int:
        return self.settings.frames

    def stamp_ns(self, index: int) -> int:
        """Header stamp of a frame, nanoseconds."""
        return FIRST_STAMP_NS + round(index * NANOSECONDS_PER_SECOND / self.settings.rate_hz)

    def frame(self, index: int) -> StereoFrame:
        """The pictures of one frame.

        Raises:
            InputError: there is no such frame.
        """
        self._check(index)
        sensor = self.sensors[0]
        hits = self._left_hits(index)
        left = self._picture(index, 0, sensor, self._at(index), self._left(index), hits)
        right = self._right_picture(index, self.sensors[1])
        return StereoFrame(left, right, self.stamp_ns(index), self.rig)

    def truth(self, index: int) -> FrameTruth:
        """The truth of one frame.

        Raises:
            InputError: there is no such frame.
        """
        self._check(index)
        now, before, after = self._at(index), self._at(index - 1), self._at(index + 1)
        left = self._left(index)
        right = left.right_neighbour()
        hits = self._left_hits(index)
        part, depth = self._maps(hits)
        right_part, right_depth = self._maps(self._right_hits(index))
        to_right = transfer(left, now.part_poses, right, now.part_poses, part, depth)
        to_left = transfer(right, now.part_poses, left, now.part_poses, right_part, right_depth)
        forward = transfer(
            left, now.part_poses, self._left(index + 1), after.part_poses, part, depth
        )
        backward = transfer(
            left, now.part_poses, self._left(index - 1), before.part_poses, part, depth
        )
        seen = hits.triangle.reshape(self.rig.shape)
        instance = np.where(seen == MISSED, np.uint16(0), self.scene.surfaces.instance[seen])
        objects = self._objects(index)
        moving = np.array([False, *(item.is_moving for item in objects)])
        return FrameTruth(
            stamp_ns=self.stamp_ns(index),
            disparity=np.nan_to_num(self.rig.disparity(depth)),
            disparity_right=np.nan_to_num(self.rig.disparity(right_depth)),
            depth=depth,
            flow_forward=forward.shift,
            flow_backward=backward.shift,
            occluded_stereo=to_right.hidden(now.casters),
            occluded_right=to_left.hidden(now.casters),
            occluded_forward=forward.hidden(after.casters),
            occluded_backward=backward.hidden(before.casters),
            semantic=np.where(
                seen == MISSED, np.uint8(StreetClass.SKY), self.scene.surfaces.semantic[seen]
            ),
            instance=instance,
            moving=moving[instance],
            objects=objects,
            camera=now.camera,
            previous_camera=before.camera,
            next_camera=after.camera,
        )

    def frame_with_truth(self, index: int) -> tuple[StereoFrame, FrameTruth]:
        """Pictures and truth of one frame; they share the cast of the left view."""
        return self.frame(index), self.truth(index)

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise InputError(
                f"synthetic drive: expected a frame from 0 to {len(self) - 1}, found {index}"
            )

    def _time(self, index: int) -> float:
        return index / self.settings.rate_hz

    def _at(self, index: int) -> Snapshot:
        return self._snapshot(self._time(index))

    def _left(self, index: int) -> Camera:
        return Camera(self.rig, self._at(index).camera)

    def _maps(self, hits: Hits) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Part (-1 = sky) and depth of each pixel."""
        part = np.where(
            hits.triangle == MISSED, np.int32(-1), self.scene.surfaces.part[hits.triangle]
        )
        return part.reshape(self.rig.shape), hits.distance.reshape(self.rig.shape)

    def _right_picture(self, index: int, sensor: Sensor) -> NDArray[np.uint8]:
        snapshot = self._snapshot(self._time(index) + sensor.delay_s)
        left = Camera(self.rig, snapshot.camera)
        camera = left.right_neighbour(sensor.roll_rad, sensor.row_offset_px)
        ideal = sensor.delay_s == 0 and sensor.roll_rad == 0 and sensor.row_offset_px == 0
        hits = self._right_hits(index) if ideal else cast_pixels(snapshot, camera)
        return self._picture(index, 1, sensor, snapshot, camera, hits)

    def _picture(
        self, index: int, side: int, sensor: Sensor, snapshot: Snapshot, camera: Camera, hits: Hits
    ) -> NDArray[np.uint8]:
        light = render(snapshot, camera, self.scene.surfaces, self.scene.light, hits)
        random = np.random.Generator(np.random.SFC64([self.seed, 3, index, side]))
        return expose(light, self._smear(snapshot, camera, hits), sensor, random)

    def _smear(self, snapshot: Snapshot, camera: Camera, hits: Hits) -> NDArray[np.float32] | None:
        """Way of each pixel's surface while the shutter is open, pixels; None without blur."""
        shutter = 1e-3 * self.settings.motion_blur_ms
        if shutter == 0:
            return None
        later = self.scene.ego.camera_pose(snapshot.time + shutter)
        moved_camera = Camera(self.rig, later.after(snapshot.camera.inverse()).after(camera.pose))
        part, depth = self._maps(hits)
        later_parts = self.scene.part_poses(snapshot.time + shutter)
        return transfer(camera, snapshot.part_poses, moved_camera, later_parts, part, depth).shift

    def _objects(self, index: int) -> tuple[ObjectTruth, ...]:
        time, interval = self._time(index), 1.0 / self.settings.rate_hz
        into_camera = self._at(index).camera.rotation.T
        listed = []
        for number, actor in enumerate(self.scene.actors, start=1):
            velocity = actor.velocity(time)
            listed.append(
                ObjectTruth(
                    number,
                    actor.body.kind,
                    bool(np.linalg.norm(velocity) > _MOVING_MPS),
                    actor.pose(time),
                    actor.pose(time - interval),
                    actor.pose(time + interval),
                    into_camera @ velocity,
                    (actor.body.length_m, actor.body.width_m),
                )
            )
        return tuple(listed)
