"""What speaks against standing still, point by point, in units of its expected noise.

The region segmenter decides on it.

Two tests, both of the hypothesis that only the camera moved: does the point go where ego-motion
takes it (flow), and is a surface of the predicted depth there (disparity)? The second needs no flow
and holds where flow breaks down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cups_core.compiled import kernel, length
from cups_core.motion.ground_plane import GroundPlane
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import Map, Mask, SceneFlow
from cups_core.motion.static_residuals import measure_static_residuals

# A forward-backward error beyond this says that the flow is lost, not how wrong it is.
LOST_FLOW_PX = 5.0
# Flow is wrong by about this many times its forward-backward error (measured on ray-cast drives
# with DIS flow).
ERROR_PER_INCONSISTENCY = 1.5
# So many static neighbours with the same flow make it theirs (of about a hundred that are looked
# at).
REPEATED = 25
# Squared deviation in noise units at which static and moving are equally likely.
INDIFFERENCE = 9.0
STRONGEST_EVIDENCE = 4.0
# What having moved a frame ago adds: it decides where nothing is measured, never against a
# measurement.
MEMORY = 0.4
FURTHEST_DISPARITY_PX = 0.8
FLOW_BINS_PX = (2.0, 5.0, 10.0, 20.0, 40.0)
SMALLEST_SIGMA_PX = 0.05
TRIMMING_ROUNDS = 3
LARGEST_NOISE = 6.0
# Slowest motion that a point must be able to show before its silence counts as standing still.
SHOWN_SPEED_MPS = 1.0


@dataclass(frozen=True, eq=False)
class StaticEvidence:
    """Maps on the scene-flow grid.

    Attributes:
        disparity: float32 (h, w), pixels, gaps filled from the farther side of the row.
        known: bool (h, w), where the disparity was measured.
        residual: float32 (h, w, 2), flow that ego-motion does not explain, pixels.
        disparity_residual: float32 (h, w), disparity found where ego-motion takes the point minus
            the predicted one, pixels, NaN where nothing was found.
        sigma: float32 (h, w), expected noise of the residual flow, pixels.
        disparity_sigma: expected noise of the disparity residual, pixels.
        informative: bool (h, w), where the flow can be believed at all.
        ground: bool (h, w), on the road: shadows and reflections move there, objects do not consist
            of it.
        ego_motion: the motion that was tested.
        evidence: float32 (h, w), log-odds-like: positive moving, negative static, 0 silent, at most
            4.
    """

    disparity: Map
    known: Mask
    residual: Map
    disparity_residual: Map
    sigma: Map
    disparity_sigma: float
    informative: Mask
    ground: Mask
    ego_motion: RigidTransform
    evidence: Map


def _robust_sigma(deviations: NDArray[np.floating], at_half: float, at_four_fifths: float) -> float:
    """Scale of a noise from its quantiles, given those of the unit noise.

    Most of the scene stands still.
    """
    half, four_fifths = np.quantile(deviations, [0.5, 0.8])
    return float(max(SMALLEST_SIGMA_PX, half / at_half, four_fifths / at_four_fifths))


def _without_movers(deviations: NDArray[np.floating], at_half: float) -> NDArray[np.floating]:
    """Those that may be noise: a near mover covers a fifth of the points and more, but not half."""
    for _ in range(TRIMMING_ROUNDS):
        sigma = max(SMALLEST_SIGMA_PX, float(np.median(deviations)) / at_half)
        deviations = deviations[deviations <= LARGEST_NOISE * sigma]
    return deviations


def _flow_noise(residual: Map, static_flow: Map, reliable: Mask) -> NDArray[np.float32]:
    """Noise of consistent flow per bin of the static flow's length, pixels.

    Fast image motion is measured worse.
    """
    size = np.hypot(residual[..., 0], residual[..., 1])[reliable]
    length = np.hypot(static_flow[..., 0], static_flow[..., 1])[reliable]
    bins = np.digitize(length, FLOW_BINS_PX)
    sigmas = np.full(len(FLOW_BINS_PX) + 1, np.nan)
    for index in range(len(sigmas)):
        inside = size[bins == index]
        if len(inside) > 50:
            # 1.177 and 1.794: quantiles 0.5 and 0.8 of the Rayleigh distribution of a 2-D
            # deviation.
            sigmas[index] = _robust_sigma(_without_movers(inside, 1.177), 1.177, 1.794)
    if np.isnan(sigmas).all():
        return np.full(len(sigmas), LOST_FLOW_PX, np.float32)
    filled = np.flatnonzero(~np.isnan(sigmas))
    nearest = filled[np.abs(np.arange(len(sigmas))[:, None] - filled[None]).argmin(1)]
    return np.asarray(sigmas[nearest], np.float32)


@kernel
def _weigh(
    disparity: Map,
    spread: Map,
    residual: Map,
    found: Map,
    static_flow: Map,
    flow_error: Map,
    believable: Mask,
    agrees: Mask,
    ground: Mask,
    skip: Mask,
    bins: NDArray[np.float32],
    bin_sigma: NDArray[np.float32],
    floor: float,
    disparity_sigma: float,
    parallax: Map,
    reach_disparity: float,
    shown_px: float,
    sigma: Map,
    informative: Mask,
    evidence: Map,
    bleed_radius: int,
    moved_before: Mask,
) -> None:
    height, width = disparity.shape
    for i in range(height):
        for j in range(width):
            if skip[i, j]:
                sigma[i, j] = 1.0
                informative[i, j] = False
                continue
            index = 0
            speed = length(static_flow[i, j, 0], static_flow[i, j, 1])
            while index < len(bins) and speed >= bins[index]:
                index += 1
            error = min(flow_error[i, j], np.float32(1e3))
            inconsistency = max(0.0, error * error - floor * floor)
            unsure = parallax[i, j] * spread[i, j]
            sigma[i, j] = np.sqrt(
                bin_sigma[index] ** 2 + ERROR_PER_INCONSISTENCY**2 * inconsistency + unsure * unsure
            )
            informative[i, j] = believable[i, j] and flow_error[i, j] < LOST_FLOW_PX
    for i in range(height):
        for j in range(width):
            d = disparity[i, j]
            if ground[i, j] or d < FURTHEST_DISPARITY_PX:
                evidence[i, j] = -1.0
                continue
            size = length(residual[i, j, 0], residual[i, j, 1])
            heard = informative[i, j]
            if heard and size > 3.0 * sigma[i, j]:
                heard = not _bled(
                    disparity, residual, static_flow, sigma, ground, i, j, bleed_radius
                )
                informative[i, j] = heard
            squared = min((size / sigma[i, j]) ** 2, 400.0) if heard else 0.0
            silence = 0.0
            if heard:
                silence = min(1.0, (shown_px * d / (3.0 * sigma[i, j])) ** 2)
            if not np.isnan(found[i, j]):
                silence = max(silence, 0.05)
                scale = np.sqrt(disparity_sigma**2 + (0.01 * d) ** 2)
                deviation = found[i, j] / scale
                # Farther than predicted: the surface has gone. Nearer: it may only be hidden by
                # another one, so the flow has to confirm that it came nearer, and no faster than
                # anything drives.
                nearest = 1.0 / max(1.0 / d - reach_disparity, 0.002) - d
                if deviation < 0 or (
                    found[i, j] < nearest
                    and flow_error[i, j] < 2.0
                    and believable[i, j]
                    and agrees[i, j]
                ):
                    squared += min(deviation * deviation, 100.0)
            odds = max((squared - INDIFFERENCE) / INDIFFERENCE, -silence)
            if moved_before[i, j]:
                odds += MEMORY
            evidence[i, j] = min(odds, STRONGEST_EVIDENCE)


@kernel
def _bled(
    disparity: Map,
    residual: Map,
    static_flow: Map,
    sigma: Map,
    ground: Mask,
    i: int,
    j: int,
    radius: int,
) -> bool:
    """Whether the point only repeats the flow of a surface beside it.

    Patch-based flow bleeds over depth edges.

    Either it moves like a nearer surface that moves, or as a static point would at the depth of a
    static neighbour.
    """
    height, width = disparity.shape
    d, u, v = disparity[i, j], residual[i, j, 0], residual[i, j, 1]
    like_static = max(2.0 * sigma[i, j], 0.2 * length(u, v))
    near_i, near_j, near = i, j, d
    repeated = 0
    # Even rows and columns only: a quarter of the work, and the road is known just there.
    for k in range(max(0, i - radius) // 2 * 2, min(height, i + radius + 1), 2):
        for m in range(max(0, j - radius) // 2 * 2, min(width, j + radius + 1), 2):
            other = disparity[k, m]
            if other > near:
                near_i, near_j, near = k, m, other
            if abs(other - d) > max(1.5, 0.12 * max(other, d)):
                left_u = static_flow[i, j, 0] + u - static_flow[k, m, 0]
                left_v = static_flow[i, j, 1] + v - static_flow[k, m, 1]
                if abs(left_u) < like_static and abs(left_v) < like_static:
                    stands = length(residual[k, m, 0], residual[k, m, 1]) < 3.0 * sigma[k, m]
                    repeated += stands and length(left_u, left_v) < like_static
    if repeated >= REPEATED:
        return True
    if near - d < max(1.5, 0.12 * near) or ground[near_i, near_j]:
        return False
    other_u, other_v = residual[near_i, near_j, 0], residual[near_i, near_j, 1]
    difference = length(u - other_u, v - other_v)
    return bool(difference < 0.4 * length(other_u, other_v) + 3.0 * sigma[i, j])


def weigh_static_hypothesis(
    scene: SceneFlow,
    ego_motion: RigidTransform,
    ground_plane: GroundPlane | None,
    interval_s: float,
    maximum_speed_mps: float,
    bleed_radius: int,
    moved_before: Mask | None = None,
) -> StaticEvidence:
    """Tests every grid point against the hypothesis that only the camera moved.

    The noise is not assumed but measured: per bin of image speed from the residuals of the static
    majority, per point from the forward-backward error and from the uncertainty of its depth.

    Args:
        scene: measurements on a grid.
        ego_motion: motion of static points from t to t+1 in camera coordinates.
        ground_plane: the road, where one was found.
        interval_s: time between the frames, seconds (its sign does not matter).
        maximum_speed_mps: nothing moves faster over ground, m/s; faster flow is a mismatch.
        bleed_radius: how far flow bleeds over depth edges, grid points.
        moved_before: bool (h, w), points that belonged to a moving object in the frame before.
    """
    rig = scene.rig
    shape = scene.disparity.shape
    reach_m = maximum_speed_mps * abs(interval_s)
    tested = measure_static_residuals(scene, ego_motion, ground_plane, reach_m)
    residual, found = tested.residual, tested.disparity_residual
    some = (slice(None, None, 4), slice(None, None, 2))
    reliable = tested.known[some] & (scene.flow_error[some] < 1.0) & tested.believable[some]
    bin_sigma = _flow_noise(residual[some], tested.static_flow[some], reliable)
    errors = scene.flow_error[some][reliable]
    floor = 1.5 * float(np.median(errors)) if len(errors) else 0.0
    deviations = np.abs(found[some])
    deviations = deviations[np.isfinite(deviations)]
    disparity_sigma = _robust_sigma(deviations, 0.6745, 1.2816) if len(deviations) else 1.0

    columns, rows = scene.pixel_coordinates()
    radius = np.hypot(columns[None] - rig.cx, rows[:, None] - rig.cy)
    step = float(np.linalg.norm(ego_motion.translation_m))
    parallax = (step / rig.focal_baseline * np.hypot(radius, 0.3 * rig.fx)).astype(np.float32)
    sigma, evidence = np.empty(shape, np.float32), np.empty(shape, np.float32)
    informative = np.empty(shape, np.bool_)
    _weigh(
        tested.disparity,
        tested.spread,
        residual,
        found,
        tested.static_flow,
        scene.flow_error,
        tested.believable,
        tested.agrees,
        tested.ground,
        tested.skip,
        np.array(FLOW_BINS_PX, np.float32),
        bin_sigma,
        floor,
        disparity_sigma,
        parallax,
        reach_m / rig.focal_baseline,
        SHOWN_SPEED_MPS * abs(interval_s) * rig.fx / rig.focal_baseline,
        sigma,
        informative,
        evidence,
        bleed_radius,
        np.zeros(shape, np.bool_) if moved_before is None else moved_before,
    )
    return StaticEvidence(
        tested.disparity,
        tested.known,
        residual,
        found,
        sigma,
        disparity_sigma,
        informative,
        tested.ground,
        ego_motion,
        evidence,
    )
