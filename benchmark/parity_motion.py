"""Motion parts against golden numbers of the reference; `benchmark.parity` and the tests call it.

Of the two conventions of warping that the golden files hold, the one is compared that samples where
the flow points; the other, half a pixel beside it towards the borders, is a defect.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cups_core.motion.consistency import flow_consistency
from cups_core.motion.rigid_transform import fit_rigid_transforms
from cups_core.motion.sf2se3.disparity_edges import edge_free, edge_magnitude
from cups_core.motion.sf2se3.matrix_nms import decay_scores, mask_overlap
from cups_core.motion.sf2se3.noise_scale import truncated_noise_scale
from cups_core.motion.sf2se3.painting import paint
from cups_core.motion.sf2se3.votes import Votes
from cups_core.motion.visible_surface import visible_surface_m2
from cups_core.rig import StereoRig

Arrays = dict[str, NDArray[np.generic]]

NMS_THRESHOLD = 0.6
# Decisions nearer to their threshold than this may fall either way.
DECISION_MARGIN = 1e-3
# Deviations were cut off here, and the scale kept within these limits, before halving the variance.
NOISE_REACH_PX = 10 * 2**0.5
NOISE_LIMITS_PX = (2 * 2**0.5, 10 * 2**0.5)
# Of the edge magnitudes so many may differ: where two neighbours tie, either is suppressed.
TIES = 5


def compare(folder: Path) -> dict[str, float]:
    """Largest absolute difference by quantity; of masks and lists, how many entries differ."""
    parts: dict[str, Callable[[Arrays], dict[str, float]]] = {
        "matrix_nms": _matrix_nms,
        "consistency": _consistency,
        "disparity_edges": _disparity_edges,
        "kabsch": _kabsch,
        "ensemble": _ensemble,
    }
    found: dict[str, float] = {}
    for name, part in parts.items():
        with np.load(folder / f"{name}.npz") as arrays:
            differences = part(dict(arrays))
        found |= {f"{name}/{quantity}": float(value) for quantity, value in differences.items()}
    return found


def _sets(arrays: Arrays, quantity: str) -> list[str]:
    """Prefixes of the sets that hold this quantity."""
    return sorted(key.removesuffix(quantity) for key in arrays if key.endswith(quantity))


def _largest(differences: list[NDArray[np.floating]] | list[float]) -> float:
    return max(float(np.max(np.abs(each), initial=0.0)) for each in differences)


def _unpacked(packed: NDArray[np.uint8], shape: NDArray[np.int64]) -> NDArray[np.bool_]:
    height, width = shape
    bits = np.unpackbits(packed, axis=1)[:, : height * width].astype(np.bool_)
    return bits.reshape(-1, height, width)


def _matrix_nms(arrays: Arrays) -> dict[str, float]:
    found: dict[str, list[float]] = {key: [] for key in ("gaussian", "linear", "labels", "kept")}
    for name in _sets(arrays, "_scores"):
        if name.endswith("_keep") or name.endswith("labels2_keep"):
            continue
        masks = _unpacked(arrays[f"{name}_masks_packed"], arrays[f"{name}_hw"])
        flat = masks.reshape(len(masks), -1)
        overlap = mask_overlap(flat, np.ones(flat.shape[1]))
        scores = arrays[f"{name}_scores"]
        gaussian = decay_scores(overlap, scores, "gaussian")
        linear = decay_scores(overlap, scores, "linear")
        # Masks of different classes do not meet.
        labels = np.empty(len(scores))
        for label in np.unique(arrays[f"{name}_labels2"]):
            own = np.flatnonzero(arrays[f"{name}_labels2"] == label)
            labels[own] = decay_scores(overlap[np.ix_(own, own)], scores[own], "gaussian")
        found["gaussian"].append(_largest([gaussian - arrays[f"{name}_decayed_all"]]))
        found["linear"].append(_largest([linear - arrays[f"{name}_decayed_all_linear"]]))
        found["labels"].append(_largest([labels - arrays[f"{name}_labels2_decayed_all"]]))
        for decayed, key in ((gaussian, "keep"), (labels, "labels2_keep")):
            found["kept"].append(_unequal(_kept(decayed), arrays[f"{name}_{key}"]))
    return {quantity: max(values) for quantity, values in found.items()}


def _kept(decayed: NDArray[np.float64]) -> NDArray[np.int64]:
    kept = np.flatnonzero(decayed >= NMS_THRESHOLD)
    return kept[np.argsort(-decayed[kept], kind="stable")]


def _unequal(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Number of entries that differ; all where the lengths do."""
    return float((one != other).sum()) if one.shape == other.shape else float(max(one.size, 1))


def _consistency(arrays: Arrays) -> dict[str, float]:
    found: dict[str, list[float]] = {key: [] for key in ("error", "mask", "noise_scale")}
    for name in _sets(arrays, "_fw"):
        forward, backward = (
            np.ascontiguousarray(arrays[f"{name}_{key}"].transpose(1, 2, 0)) for key in ("fw", "bw")
        )
        agreement = flow_consistency(forward, backward)
        back = arrays[f"{name}_warped_bw_align_corners_true"]
        error = np.hypot(*(arrays[f"{name}_fw"] + back))
        inside = arrays[f"{name}_valid_align_corners_true"] > 0
        found["error"].append(_largest([(agreement.error_px - error)[inside]]))
        decided = arrays[f"{name}_margin_align_corners_true"] > DECISION_MARGIN
        mask = arrays[f"{name}_mask_align_corners_true"] > 0
        found["mask"].append(_unequal(agreement.agrees[decided], mask[decided]))
        deviations = arrays[f"{name}_sigma_dev"].reshape(2, -1).T
        scale = truncated_noise_scale(deviations, NOISE_REACH_PX)
        scale = np.clip(scale, *NOISE_LIMITS_PX) / np.sqrt(2.0)
        found["noise_scale"].append(_largest([scale - arrays[f"{name}_sigma_dev_std"]]))
    return {quantity: max(values) for quantity, values in found.items()}


def _disparity_edges(arrays: Arrays) -> dict[str, float]:
    magnitudes, masks = [], []
    for name in _sets(arrays, "_disparity"):
        disparity = arrays[f"{name}_disparity"]
        difference = np.abs(edge_magnitude(disparity) - arrays[f"{name}_magnitude"])
        magnitudes.append(np.sort(difference.ravel())[:-TIES])
        fixed = arrays[f"{name}_edge_free_mask_border_fixed"] > 0
        masks.append(_unequal(edge_free(disparity), fixed))
    return {"magnitude": _largest(magnitudes), "mask": max(masks)}


def _kabsch(arrays: Arrays) -> dict[str, float]:
    found = {}
    for key, weights in (("weighted", arrays["weights"]), ("unweighted", None)):
        rotation, translation = fit_rigid_transforms(arrays["pts1"], arrays["pts2"], weights)
        expected = arrays[f"se3_{key}"]
        found[key] = _largest([rotation - expected[:, :3, :3], translation - expected[:, :3, 3]])
    return found


def _ensemble(arrays: Arrays) -> dict[str, float]:
    masks = _unpacked(arrays["masks_packed"], arrays["hw"])
    flat = masks.reshape(len(masks), -1)
    area = np.ones(flat.shape[1])
    consistency = Votes(flat, np.arange(len(flat))).consistency(area)
    kept = np.flatnonzero(consistency >= 0.8 * 8)
    scores = arrays["scores"][kept]
    best = _kept(decay_scores(mask_overlap(flat[kept], area), scores, "gaussian"))
    size = flat[kept][best].sum(1)
    painted = paint(masks[kept][best][np.argsort(size, kind="stable")])
    return {
        "consistency": _largest([consistency - arrays["consistency"]]),
        "keep_consistency": _unequal(kept, np.flatnonzero(arrays["keep_consistency"])),
        "keep_nms": _unequal(best, arrays["keep_nms_in_kept"]),
        "painted": _unequal(painted, arrays["painted"]),
        "after_surface_filter": _surface_filter(arrays),
    }


def _surface_filter(arrays: Arrays) -> float:
    """Pixels on which the filters by visible surface differ.

    The reference triangulates the pixel centres; here a plane through them is measured, whole
    pixels of it, so that surfaces are up to 12 % larger.
    """
    points, painted = arrays["points3d"].astype(np.float64), arrays["painted"]
    x, y = points[0] / points[2], points[1] / points[2]
    fx, fy = 1.0 / np.median(np.diff(x, axis=1)), 1.0 / np.median(np.diff(y, axis=0))
    K = np.array([[fx, 0, -x[0, 0] * fx], [0, fy, -y[0, 0] * fy], [0, 0, 1.0]])
    # Any long baseline: these depths are free of noise.
    rig = StereoRig(K, 100.0, painted.shape[1], painted.shape[0])
    surface = {}
    for number in np.unique(painted[painted > 0]):
        rows, columns = np.nonzero(painted == number)
        disparity = rig.focal_baseline / points[2][rows, columns]
        surface[int(number)] = visible_surface_m2(columns, rows, disparity, 1.0, rig)
    unequal = 0.0
    for least, expected in zip(
        arrays["surface_min_m2"], arrays["after_surface_filter"], strict=True
    ):
        left = np.zeros_like(painted)
        large = [number for number, area in surface.items() if area >= least]
        for index, number in enumerate(large, start=1):
            left[painted == number] = index
        unequal += _unequal(left, expected)
    return unequal
