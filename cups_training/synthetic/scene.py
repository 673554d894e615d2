"""The world of one drive and its state at any time: geometry to cast at, poses of parts.

`drive` makes one from a seed and asks for snapshots; rendering and truth read them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.rigid_transform import RigidTransform
from cups_training.synthetic.actors import Actor
from cups_training.synthetic.casting import RayCaster
from cups_training.synthetic.ego import LANE_CENTRE_M, Ego, drive_times, ego_progress, sample_shake
from cups_training.synthetic.light import Light, sample_light
from cups_training.synthetic.materials import MaterialTable
from cups_training.synthetic.meshes import Mesh, joined
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.street import build_street
from cups_training.synthetic.traffic import TrafficSampler
from cups_training.synthetic.trajectories import Trajectory

STREET_PART = 0
"""Part of everything that is not an actor."""


@dataclass(frozen=True, eq=False)
class Surfaces:
    """What never changes about the triangles, one row per triangle, static ones first.

    Attributes:
        texture: float32 (T, 3, 3), metres.
        material: int32 (T,), row of `materials`.
        semantic: uint8 (T,).
        part: int32 (T,), rigid part, 0 = the street.
        instance: uint16 (T,), actor number from 1, 0 = the street.
        materials: float32 (M, C).
    """

    texture: NDArray[np.float32]
    material: NDArray[np.int32]
    semantic: NDArray[np.uint8]
    part: NDArray[np.int32]
    instance: NDArray[np.uint16]
    materials: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The world at one time.

    Attributes:
        time: seconds from the first frame.
        camera: world from left camera.
        casters: for rays, static geometry first.
        corners, normals: float32 (T, 3, 3), world.
        part_poses: world from each part's rest frame; all static parts are at identity.
    """

    time: float
    camera: RigidTransform
    casters: tuple[RayCaster, ...]
    corners: NDArray[np.float32]
    normals: NDArray[np.float32]
    part_poses: tuple[RigidTransform, ...]


class Scene:
    """A street with its traffic and the camera car.

    Args:
        settings: of the drive.
        seed: the same seed and settings make the same scene.
    """

    def __init__(self, settings: DriveSettings, seed: int) -> None:
        random = np.random.default_rng([seed, 1])
        materials = MaterialTable()
        times = drive_times(settings)
        along = ego_progress(random, settings, times)
        street = build_street(random, materials, settings, float(along[-1]))
        course = Trajectory.of_street(street.line, times, along, LANE_CENTRE_M, 0.0)
        self.ego = Ego(course, random.uniform(1.35, 1.75), sample_shake(random, settings.ego_shake))
        sampler = TrafficSampler(random, materials, settings, street, times, along, course)
        self.actors: tuple[Actor, ...] = tuple(sampler.sample())
        self.light: Light = sample_light(random, settings)
        self.street = street

        fixed: list[Mesh] = [street.mesh]
        fixed_ids = [(STREET_PART, 0, len(street.mesh))]
        self._jointed: list[tuple[Actor, Mesh]] = []
        jointed_ids: list[tuple[int, int, int]] = []
        part = STREET_PART + 1
        for number, actor in enumerate(self.actors, start=1):
            if actor.is_static:
                meshes = [
                    limb.mesh.moved(pose.rotation, pose.translation_m)
                    for limb, pose in zip(actor.body.limbs, actor.limb_poses(0.0), strict=True)
                ]
                # One that stands is part of the street as far as geometry goes.
                fixed += meshes
                fixed_ids += [(STREET_PART, number, len(mesh)) for mesh in meshes]
                continue
            for limb in actor.body.limbs:
                jointed_ids.append((part, number, len(limb.mesh)))
                part += 1
            self._jointed.append((actor, joined([limb.mesh for limb in actor.body.limbs])))
        self.part_count = part
        ids = np.array([*fixed_ids, *jointed_ids])
        self._fixed = joined(fixed)
        self._fixed_caster = RayCaster(self._fixed.corners)
        whole = joined([self._fixed, *(mesh for _, mesh in self._jointed)])
        self.surfaces = Surfaces(
            whole.texture,
            whole.material,
            whole.semantic,
            np.repeat(ids[:, 0], ids[:, 2]).astype(np.int32),
            np.repeat(ids[:, 1], ids[:, 2]).astype(np.uint16),
            materials.rows(),
        )

    def part_poses(self, time: float) -> tuple[RigidTransform, ...]:
        """World from the rest frame of each part at a time, seconds; identity for the street."""
        return (
            RigidTransform.identity(),
            *(pose for actor, _ in self._jointed for pose in actor.limb_poses(time)),
        )

    def at(self, time: float) -> Snapshot:
        """The world at a time in seconds from the first frame."""
        poses = self.part_poses(time)
        corners, normals = [self._fixed.corners], [self._fixed.normals]
        limbs = (limb for actor, _ in self._jointed for limb in actor.body.limbs)
        for limb, pose in zip(limbs, poses[1:], strict=True):
            corners.append(pose.apply(limb.mesh.corners).astype(np.float32))
            normals.append(limb.mesh.normals @ pose.rotation.T.astype(np.float32))
        moving = (
            np.concatenate(corners[1:]) if len(corners) > 1 else np.zeros((0, 3, 3), np.float32)
        )
        return Snapshot(
            time,
            self.ego.camera_pose(time),
            (self._fixed_caster, RayCaster(moving)),
            np.concatenate(corners),
            np.concatenate(normals),
            poses,
        )
