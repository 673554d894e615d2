"""The motion of each final object, refined on all its points, as the object table needs it.

The ensemble calls it once per image.
"""

from __future__ import annotations

import numpy as np

from cups_core.motion.object_motion import ObjectMotion
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.sf2se3.consensus import deviations
from cups_core.motion.sf2se3.measured_points import Integers, MeasuredPoints
from cups_core.motion.sf2se3.refinement import refine_motions
from cups_core.motion.sf2se3.turn_prior import TurnPrior

# Deviations beyond this many sigma are all the same.
LARGEST_DEVIATION = 20.0


def fit_rigid_objects(
    points: MeasuredPoints,
    of_point: Integers,
    starts: list[RigidTransform],
    ego_motion: RigidTransform,
    prior: TurnPrior,
) -> ObjectMotion:
    """Displacement of each object's middle, mean way of its points, share that it explains.

    Args:
        points: N points that deviate from ego-motion.
        of_point: int64 (N,), object of each, 1 to K, 0 = none.
        starts: first guess of each object's motion.
        ego_motion: motion of the static scene.
        prior: how objects turn.
    """
    count = len(starts) + 1
    displacement, distance, explained = np.zeros((count, 3)), np.zeros(count), np.zeros(count)
    present = [number for number in range(1, count) if (of_point == number).any()]
    if present:
        chosen = np.array([of_point == number for number in present])
        rotations, translations = refine_motions(
            points,
            np.stack([starts[number - 1].rotation for number in present]),
            np.stack([starts[number - 1].translation_m for number in present]),
            chosen,
            prior,
        )
        for number, mine, R, t in zip(present, chosen, rotations, translations, strict=True):
            motion, own = RigidTransform(R, t), points[mine]
            centre = np.median(own.position, 0)
            displacement[number] = motion.apply(centre) - ego_motion.apply(centre)
            way = motion.apply(own.position) - ego_motion.apply(own.position)
            distance[number] = np.linalg.norm(way, axis=1).mean()
            left, all_ = (
                np.minimum(np.sqrt(deviations(own, each)), LARGEST_DEVIATION).sum()
                for each in (motion, ego_motion)
            )
            explained[number] = 1.0 - left / all_
    return ObjectMotion(displacement, distance, explained)
