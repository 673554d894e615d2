"""Accuracy, density and time of the flow estimator on KITTI 2012, and how its error is distributed.

python -m benchmark.flow DATA_FOLDER [--json]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.kitti2012 import ONLINE_SIZE, Scene, best_ms, outliers, read_scenes
from benchmark.table import Row, print_rows, quantiles
from cups_core.motion.consistency import flow_consistency
from cups_core.motion.dis_flow import DisFlow, DisFlowSettings

CONFIGURATIONS = {
    "default": DisFlowSettings(),
    "12 steps, refinement 2": DisFlowSettings(search_iterations=12, refinement_iterations=2),
    "12 steps, refinement 5": DisFlowSettings(search_iterations=12, refinement_iterations=5),
    "stride 4": DisFlowSettings(patch_stride=4),
    "stride 6": DisFlowSettings(patch_stride=6),
    "stride 8": DisFlowSettings(patch_stride=8),
    "OpenCV fast": DisFlowSettings(2, 4, 16, 5),
    "OpenCV medium": DisFlowSettings(1, 3, 25, 5),
    "full size": DisFlowSettings(0, 4, 16, 5),
}
ERROR_BINS_PX = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, np.inf)
SPEED_BINS_PX = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, np.inf)
BORDER_BINS_PX = (0.0, 8.0, 16.0, 32.0, 64.0, np.inf)
CONTRAST_BINS = (0.0, 1.0, 2.0, 4.0, 8.0, np.inf)


def main() -> None:
    """Measure every configuration, then the error of the default one, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="KITTI 2012 with flow truth")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    scenes = read_scenes(arguments.folder)
    accuracy = [_accuracy(name, DisFlow(item), scenes) for name, item in CONFIGURATIONS.items()]
    tables = {"Flow, one core, time of one flow at 640x1280": accuracy}
    tables |= _error_tables(DisFlow(), scenes)
    print_rows(tables, arguments.json)


def _accuracy(name: str, estimator: DisFlow, scenes: list[Scene]) -> Row:
    """Errors over all scenes; "seen" without the pixels that get hidden, "kept" after the check."""
    seen, every, kept, seen_bad, every_bad, kept_bad, density, hidden = ([] for _ in range(8))
    for scene in scenes:
        forward = estimator.flow(scene.left, scene.next_left)
        agrees = flow_consistency(forward, estimator.flow(scene.next_left, scene.left)).agrees
        error = np.linalg.norm(forward - scene.flow.values, axis=2)
        bad = outliers(error, np.linalg.norm(scene.flow.values, axis=2))
        known, visible = scene.flow.known, scene.seen_flow.known
        for errors, bads, where in (
            (seen, seen_bad, visible),
            (every, every_bad, known),
            (kept, kept_bad, known & agrees),
        ):
            errors.append(error[where])
            bads.append(bad[where])
        density.append(agrees[visible])
        hidden.append(agrees[known & ~visible])
    first, second = (
        cv2.resize(image, ONLINE_SIZE) for image in (scenes[0].left, scenes[0].next_left)
    )
    return {
        "configuration": name,
        "ms": best_ms(lambda: estimator.flow(first, second), 7),
        "EPE seen px": _mean(seen),
        "Fl seen %": 100 * _mean(seen_bad),
        "EPE all px": _mean(every),
        "Fl all %": 100 * _mean(every_bad),
        "seen kept %": 100 * _mean(density),
        "hidden kept %": 100 * _mean(hidden),
        "Fl kept %": 100 * _mean(kept_bad),
        "median kept px": float(np.median(np.concatenate(kept))),
        "p90 kept px": float(np.percentile(np.concatenate(kept), 90)),
    }


def _error_tables(estimator: DisFlow, scenes: list[Scene]) -> dict[str, list[Row]]:
    """Quantiles of the true error by what the segmenter can know about a pixel."""
    columns: list[list[NDArray[np.float32]]] = [[], [], [], [], []]
    for scene in scenes:
        forward = estimator.flow(scene.left, scene.next_left)
        there_and_back = flow_consistency(forward, estimator.flow(scene.next_left, scene.left))
        height, width = scene.left.shape
        y, x = np.mgrid[:height, :width].astype(np.float32)
        to_x, to_y = x + forward[..., 0], y + forward[..., 1]
        border = np.minimum.reduce([x, width - 1 - x, y, height - 1 - y])
        ends = [to_x, width - 1 - to_x, to_y, height - 1 - to_y]
        border = np.minimum(border, np.minimum.reduce(ends))
        smooth = cv2.blur(scene.left.astype(np.float32), (8, 8))
        contrast = cv2.blur((scene.left - smooth) ** 2, (8, 8)) ** 0.5
        values = (
            np.linalg.norm(forward - scene.flow.values, axis=2),
            there_and_back.error_px,
            np.linalg.norm(forward, axis=2),
            border,
            contrast,
        )
        where = scene.flow.known & np.isfinite(there_and_back.error_px)
        for column, value in zip(columns, values, strict=True):
            column.append(value[where])
    error, returned, speed, border, contrast = (np.concatenate(column) for column in columns)
    agreeing = returned < 0.7
    return {
        "Flow error by forward-backward error, px": quantiles(error, returned, ERROR_BINS_PX),
        "Flow error by length of the flow, px, where both directions agree to 0.7 px": quantiles(
            error[agreeing], speed[agreeing], SPEED_BINS_PX
        ),
        "Flow error by distance of either end from the border, px, where they agree": quantiles(
            error[agreeing], border[agreeing], BORDER_BINS_PX
        ),
        "Flow error by local contrast (gray levels, 8x8), where they agree": quantiles(
            error[agreeing], contrast[agreeing], CONTRAST_BINS
        ),
    }


def _mean(parts: list[NDArray[np.generic]]) -> float:
    return float(np.concatenate(parts).mean())


if __name__ == "__main__":
    main()
