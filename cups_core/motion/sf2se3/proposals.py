"""Proposes rigid motions from minimal clusters of points that keep their distances.

Every round of the greedy selection asks for proposals of all runs at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel
from cups_core.motion.rigid_transform import fit_rigid_transforms
from cups_core.motion.sf2se3.measured_points import Floats, Integers, MeasuredPoints
from cups_core.motion.sf2se3.turn_prior import TurnPrior

LARGEST_CLUSTER = 5
SMALLEST_CLUSTER = 2
# Points of one object are not farther apart than this.
LARGEST_DISTANCE_M = 5.0
# Distances may change by so much, and by so many sigma of what the noise makes of them.
RIGIDITY_M = 0.03
RIGIDITY_SIGMAS = 2.0
# Any length does: the weights of the virtual points follow from it.
VIRTUAL_ARM_M = 1.0


@kernel
def _link(
    position: Floats,
    after: Floats,
    sigma_now: Floats,
    sigma_after: Floats,
    sigma_across: Floats,
) -> NDArray[np.bool_]:
    count = len(position)
    linked = np.zeros((count, count), np.bool_)
    for i in range(count):
        if np.isnan(after[i, 2]):
            continue
        for j in range(i):
            now, then = 0.0, 0.0
            for axis in range(3):
                now += (position[i, axis] - position[j, axis]) ** 2
                then += (after[i, axis] - after[j, axis]) ** 2
            if not (now < LARGEST_DISTANCE_M**2 and now > 0.0 and then > 0.0):
                continue
            now, then = np.sqrt(now), np.sqrt(then)
            # Depth errs along the viewing ray: it changes a distance by the ray's share along it.
            variance = sigma_across[i] ** 2 + sigma_across[j] ** 2
            for side in range(2):
                n = i if side == 0 else j
                along_now, along_then = 0.0, 0.0
                for axis in range(3):
                    along_now += (position[i, axis] - position[j, axis]) * position[n, axis]
                    along_then += (after[i, axis] - after[j, axis]) * after[n, axis]
                variance += (along_now / now / position[n, 2] * sigma_now[n]) ** 2
                variance += (along_then / then / after[n, 2] * sigma_after[n]) ** 2
            if abs(now - then) < max(RIGIDITY_M, RIGIDITY_SIGMAS * np.sqrt(variance)):
                linked[i, j] = linked[j, i] = True
    return linked


def link_rigid_pairs(points: MeasuredPoints) -> NDArray[np.bool_]:
    """Which pairs of points lie close and keep their distance as far as the noise can tell.

    Points without a disparity at t+1 have no partner.

    Returns:
        bool (N, N), symmetric.
    """
    after = points.position_after()
    sigma_after = after[:, 2] ** 2 / points.rig.focal_baseline * points.sigma_disparity
    across = after[:, 2] * points.sigma / points.rig.fx
    linked: NDArray[np.bool_] = _link(
        points.position, after, points.sigma_depth, sigma_after, across
    )
    return linked


@kernel
def _grow_clusters(
    linked: NDArray[np.bool_], free: NDArray[np.bool_], rarity: Floats, draws: Floats
) -> Integers:
    runs, proposals, size = draws.shape
    count = len(linked)
    clusters = np.full((runs, proposals, size), -1, np.int64)
    allowed = np.empty(count, np.bool_)
    for run in range(runs):
        chance = np.zeros(count)
        total = 0.0
        for n in range(count):
            if free[run, n]:
                total += rarity[n]
            chance[n] = total
        if total == 0.0:
            continue
        for p in range(proposals):
            seed = min(np.searchsorted(chance, draws[run, p, 0] * total, side="right"), count - 1)
            clusters[run, p, 0] = seed
            for n in range(count):
                allowed[n] = linked[seed, n] and free[run, n]
            for member in range(1, size):
                partners = 0
                for n in range(count):
                    partners += allowed[n]
                if partners == 0:
                    break
                skip = int(draws[run, p, member] * partners)
                found = 0
                for n in range(count):
                    if allowed[n]:
                        if skip == 0:
                            found = n
                            break
                        skip -= 1
                clusters[run, p, member] = found
                # Every member must keep its distance to every other one.
                for n in range(count):
                    allowed[n] = allowed[n] and linked[found, n]
    return clusters


def propose_motions(
    points: MeasuredPoints,
    linked: NDArray[np.bool_],
    free: NDArray[np.bool_],
    draws: Floats,
    prior: TurnPrior,
) -> tuple[Floats, Floats]:
    """Motions of random small clusters of points that nothing explains yet.

    Args:
        points: N points.
        linked: bool (N, N), from `link_rigid_pairs`.
        free: bool (runs, N), points that no accepted object of the run explains.
        draws: (runs, proposals, LARGEST_CLUSTER), uniform random numbers in [0, 1).
        prior: how objects turn.

    Returns:
        Rotations (runs, proposals, 3, 3) and translations (runs, proposals, 3), metres; NaN where
        no cluster was found.
    """
    partners = linked.sum(1)
    # Objects are to be drawn evenly, not points: a near car has a hundred times those of a far one.
    rarity = np.where(partners >= SMALLEST_CLUSTER - 1, 1.0 / np.maximum(partners, 1), 0.0)
    clusters = _grow_clusters(linked, free, rarity, draws)
    shape = clusters.shape[:2]
    clusters = clusters.reshape(-1, LARGEST_CLUSTER)
    member = clusters >= 0
    found = member.sum(1) >= SMALLEST_CLUSTER
    rotations, translations = np.full((len(found), 3, 3), np.nan), np.full((len(found), 3), np.nan)
    if found.any():
        clusters, member = np.where(member, clusters, 0)[found], member[found]
        source, target = points.position[clusters], points.position_after()[clusters]
        target = np.where(member[..., None], target, 0.0)
        weights = np.where(member, 1.0 / points.sigma_depth[clusters] ** 2, 0.0)
        # Six virtual points about the centroid turn as the static scene does, with the weight of
        # the prior: few noisy points cannot tell a rotation.
        share = weights / weights.sum(1, keepdims=True)
        arms = VIRTUAL_ARM_M * np.concatenate([np.eye(3), -np.eye(3)])
        centre_s, centre_t = ((share[..., None] * x).sum(1) for x in (source, target))
        source = np.concatenate([source, centre_s[:, None] + arms], 1)
        target = np.concatenate([target, centre_t[:, None] + arms @ prior.rotation.T], 1)
        # A turn by one sigma about any axis moves four of them, and costs one.
        weight = 1.0 / (2.0 * VIRTUAL_ARM_M * prior.sigma_rad) ** 2
        weights = np.concatenate([weights, np.full((len(weights), len(arms)), weight)], 1)
        rotations[found], translations[found] = fit_rigid_transforms(source, target, weights)
    return rotations.reshape(*shape, 3, 3), translations.reshape(*shape, 3)
