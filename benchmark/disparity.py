"""Accuracy, density and time of stereo matching on KITTI 2012, and how its error is distributed.

python -m benchmark.disparity DATA_FOLDER [--json]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.kitti2012 import ONLINE_SIZE, Scene, best_ms, outliers, read_scenes
from benchmark.table import Row, print_rows, quantiles
from cups_core.motion.consistency import disparity_consistency
from cups_core.motion.semi_global_matching import SemiGlobalMatching, SemiGlobalMatchingSettings

CONFIGURATIONS = {
    "default": SemiGlobalMatchingSettings(),
    "range 96": SemiGlobalMatchingSettings(range_px=96),
    "uniqueness 0": SemiGlobalMatchingSettings(uniqueness_percent=0),
    "uniqueness 15": SemiGlobalMatchingSettings(uniqueness_percent=15),
    "no speckle removal": SemiGlobalMatchingSettings(speckle_px=0),
    "full size": SemiGlobalMatchingSettings(downscale=1),
    "quarter size": SemiGlobalMatchingSettings(downscale=4),
}
GAINS = {"as recorded": 1.0, "right camera at 0.75 gain": 0.75}
RETURN_BINS_PX = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, np.inf)
DISPARITY_BINS_PX = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, np.inf)


def main() -> None:
    """Measure every configuration, then the error of the default one, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="KITTI 2012 with disparity truth")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    scenes = read_scenes(arguments.folder)
    tables = {
        f"Disparity, {camera}; one core, time of both views at 640x1280": [
            _accuracy(name, SemiGlobalMatching(item), scenes, gain)
            for name, item in CONFIGURATIONS.items()
        ]
        for camera, gain in GAINS.items()
    }
    print_rows(tables | _error_tables(SemiGlobalMatching(), scenes), arguments.json)


def _accuracy(name: str, matching: SemiGlobalMatching, scenes: list[Scene], gain: float) -> Row:
    """Errors over all scenes; "found" where there is a value, "kept" where both views agree."""
    found, found_bad, kept, kept_bad, density, kept_density, hidden = ([] for _ in range(7))
    for scene in scenes:
        left, right = matching.disparities(scene.left, _with_gain(scene.right, gain))
        agrees = disparity_consistency(left, right).agrees
        error = np.abs(left - scene.disparity)
        bad = outliers(error, scene.disparity)
        known, visible = scene.disparity > 0, scene.seen_disparity > 0
        found.append(error[known & (left > 0)])
        found_bad.append(bad[known & (left > 0)])
        kept.append(error[known & agrees])
        kept_bad.append(bad[known & agrees])
        density.append(left[visible] > 0)
        kept_density.append(agrees[visible])
        hidden.append(agrees[known & ~visible])
    pair = [
        cv2.resize(image, ONLINE_SIZE)
        for image in (scenes[0].left, _with_gain(scenes[0].right, gain))
    ]
    return {
        "configuration": name,
        "ms": best_ms(lambda: matching.disparities(*pair), 7),
        "found %": 100 * _mean(density),
        "D1 found %": 100 * _mean(found_bad),
        "EPE found px": _mean(found),
        "kept %": 100 * _mean(kept_density),
        "hidden kept %": 100 * _mean(hidden),
        "D1 kept %": 100 * _mean(kept_bad),
        "EPE kept px": _mean(kept),
        "median kept px": float(np.median(np.concatenate(kept))),
        "p90 kept px": float(np.percentile(np.concatenate(kept), 90)),
    }


def _error_tables(matching: SemiGlobalMatching, scenes: list[Scene]) -> dict[str, list[Row]]:
    """Quantiles of the true error by what the segmenter can know about a pixel."""
    errors, returned, disparities, agreed = ([] for _ in range(4))
    for scene in scenes:
        left, right = matching.disparities(scene.left, scene.right)
        there_and_back = disparity_consistency(left, right)
        where = (scene.disparity > 0) & np.isfinite(there_and_back.error_px)
        errors.append(np.abs(left - scene.disparity)[where])
        returned.append(there_and_back.error_px[where])
        disparities.append(left[where])
        agreed.append(there_and_back.agrees[where])
    error, back, disparity, agrees = (
        np.concatenate(parts) for parts in (errors, returned, disparities, agreed)
    )
    return {
        "Disparity error by left-right error, px": quantiles(error, back, RETURN_BINS_PX),
        "Disparity error by disparity, px, where both views agree": quantiles(
            error[agrees], disparity[agrees], DISPARITY_BINS_PX
        ),
    }


def _with_gain(image: NDArray[np.uint8], gain: float) -> NDArray[np.uint8]:
    return np.clip(image * gain, 0, 255).astype(np.uint8)


def _mean(parts: list[NDArray[np.generic]]) -> float:
    return float(np.concatenate(parts).mean())


if __name__ == "__main__":
    main()
