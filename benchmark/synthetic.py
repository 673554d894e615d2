"""Prints what a synthetic drive costs, how much of it moves and how hard it is to match.

People run it: `python -m benchmark.synthetic [--suite test] [--clips 8] [--size 1024x512] [--json
    FILE]`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.frames import StereoFrame
from cups_training.synthetic import drive as drive_module
from cups_training.synthetic.correspondence import Transfer
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.scene import Scene
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.suites import SUITE_NAMES, suite
from cups_training.synthetic.truth import FrameTruth

_PARTS = {
    "world and its ray casters": (Scene, "at"),
    "primary rays": (drive_module, "cast_pixels"),
    "colours, shadows, edges": (drive_module, "render"),
    "sensor": (drive_module, "expose"),
    "flow and disparity": (drive_module, "transfer"),
    "occlusion rays": (Transfer, "hidden"),
}


class PartTimer:
    """Adds up the processor time of the functions that make a frame."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def install(self) -> None:
        """Wrap each function of `_PARTS`."""
        for part, (owner, name) in _PARTS.items():
            setattr(owner, name, self._timed(part, getattr(owner, name)))

    def _timed(self, part: str, function: Any) -> Any:
        def call(*values: Any, **named: Any) -> Any:
            start = time.process_time()
            result = function(*values, **named)
            self.seconds[part] += time.process_time() - start
            return result

        return call


def stereo_scores(frame: StereoFrame, truth: FrameTruth) -> dict[str, float]:
    """Semi-global matching of OpenCV against the truth, on pixels that both cameras see.

    D1 is KITTI's: share of pixels wrong by more than 3 px and 5 %.
    """
    matcher = cv2.StereoSGBM.create(
        minDisparity=0,
        numDisparities=16 * max(round(frame.rig.width / 1024 * 12), 1),
        blockSize=5,
        P1=8 * 3 * 25,
        P2=32 * 3 * 25,
        disp12MaxDiff=1,
        uniquenessRatio=10,
        speckleWindowSize=100,
        speckleRange=2,
        mode=cv2.STEREO_SGBM_MODE_SGBM_3WAY,
    )
    bgr = [cv2.cvtColor(image, cv2.COLOR_RGB2BGR) for image in (frame.left, frame.right)]
    found = matcher.compute(*bgr).astype(np.float32) / 16
    asked = ~truth.occluded_stereo & np.isfinite(truth.depth)
    answered = asked & (found > 0)
    error = np.abs(found - truth.disparity)[answered]
    wrong = (error > 3) & (error > 0.05 * truth.disparity[answered])
    return {
        "sgbm_d1": float(wrong.mean()),
        "sgbm_epe": float(error.mean()),
        "sgbm_density": float(answered.sum() / asked.sum()),
    }


def flow_scores(first: StereoFrame, second: StereoFrame, truth: FrameTruth) -> dict[str, float]:
    """DIS flow of OpenCV against the truth; Fl as KITTI: wrong by more than 3 px and 5 %."""
    gray = [cv2.cvtColor(frame.left, cv2.COLOR_RGB2GRAY) for frame in (first, second)]
    found = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*gray, None)
    error = np.linalg.norm(found - truth.flow_forward, axis=-1)
    length = np.linalg.norm(truth.flow_forward, axis=-1)
    surface = np.isfinite(truth.depth) & np.isfinite(error)
    height, width = error.shape
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    x, y = columns + truth.flow_forward[..., 0], rows + truth.flow_forward[..., 1]
    stays = surface & (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    scores = {}
    # KITTI's "occ" counts hidden pixels too, as long as they stay in the picture's reach; "noc"
    # does not.
    for name, mask in (
        ("noc", surface & ~truth.occluded_forward),
        ("in_image", stays),
        ("moving", stays & truth.moving),
    ):
        if mask.any():
            wrong = (error > 3) & (error > 0.05 * length)
            scores[f"dis_epe_{name}"] = float(error[mask].mean())
            scores[f"dis_fl_{name}"] = float(wrong[mask].mean())
    return scores


def content(truth: FrameTruth) -> dict[str, float]:
    """Shares of the picture."""
    static_thing: NDArray[np.bool_] = (truth.instance > 0) & ~truth.moving
    return {
        "moving": float(truth.moving.mean()),
        "static_things": float(static_thing.mean()),
        "occluded_stereo": float(truth.occluded_stereo.mean()),
        "occluded_flow": float(truth.occluded_forward.mean()),
    }


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(prog="python -m benchmark.synthetic", description=__doc__)
    parser.add_argument("--suite", choices=SUITE_NAMES, default="test")
    parser.add_argument("--clips", type=int, default=8, help="drives of the suite (default 8)")
    parser.add_argument(
        "--frames", type=int, default=3, help="frames per drive, spread over it (default 3)"
    )
    parser.add_argument("--size", default="1024x512", help="WIDTHxHEIGHT (default 1024x512)")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    given = parser.parse_args()
    width, height = (int(word) for word in given.size.split("x"))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    cv2.setNumThreads(1)

    settings = dataclasses.replace(DriveSettings(), width=width, height=height)
    warm = SyntheticDrive(dataclasses.replace(settings, width=64, height=32), 1)
    warm.frame_with_truth(0)
    timer = PartTimer()
    timer.install()
    pairs: list[float] = []
    processor: list[float] = []
    builds: list[float] = []
    figures: dict[str, list[float]] = defaultdict(list)
    by_kind: dict[str, float] = defaultdict(float)
    for clip in suite(given.suite, settings)[: given.clips]:
        start = time.perf_counter()
        drive = SyntheticDrive(clip.settings, clip.seed)
        builds.append(time.perf_counter() - start)
        for index in np.linspace(1, len(drive) - 2, given.frames).round().astype(int):
            # A running drive has the snapshots of the two frames before already.
            drive.truth(int(index) - 1)
            before = dict(timer.seconds)
            start, busy = time.perf_counter(), time.process_time()
            frame, truth = drive.frame_with_truth(int(index))
            pairs.append(time.perf_counter() - start)
            processor.append(time.process_time() - busy)
            for part in _PARTS:
                figures[f"seconds: {part}"].append(timer.seconds[part] - before.get(part, 0.0))
            scores = content(truth) | stereo_scores(frame, truth)
            scores |= flow_scores(frame, drive.frame(int(index) + 1), truth)
            for name, value in scores.items():
                figures[name].append(value)
            for item in truth.objects:
                if item.is_moving:
                    by_kind[item.kind] += float((truth.instance == item.id).mean())
    report = {
        "suite": given.suite,
        "clips": len(builds),
        "frames": len(pairs),
        "size": given.size,
        "machine": platform.processor() or platform.machine(),
        "cores": 1,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "seconds_per_pair_best": min(pairs),
        "seconds_per_pair_median": float(np.median(pairs)),
        # On a machine that others use too, wall time says more about them.
        "processor_seconds_per_pair_median": float(np.median(processor)),
        "seconds_per_drive_setup": float(np.median(builds)),
        **{
            name: float(np.median(values) if name.startswith("seconds") else np.mean(values))
            for name, values in figures.items()
        },
        **{f"moving_{kind}": value / len(pairs) for kind, value in sorted(by_kind.items())},
    }
    for name, value in report.items():
        print(f"{name:42s} {value:.4g}" if isinstance(value, float) else f"{name:42s} {value}")
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
