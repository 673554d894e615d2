"""Scores the motion segmenters on bundles of flow and disparity, or on the images themselves.

    python -m benchmark.motion --bundle FILE.npz --out ids.png
    python -m benchmark.motion --bundle DIR --out DIR --json
    python -m benchmark.motion --images BAG --bundle DIR --json
    python -m benchmark.motion --method all --bundle DIR

The first segments one bundle and writes its id map as a 16-bit PNG, the second pools the scores of
all bundles of a folder, the third takes the same real frames from their stereo images, with the
chain's own estimators. The last compares the methods with each other and with the published figures
that lie beside the folder (baselines.json).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# One thread, as the benchmark's definition asks; BLAS reads it when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.highlevel import AnyReader

from benchmark.table import print_rows
from cups_core.metrics.motion_masks import MaskCounts, MotionTruth, count_masks, total
from cups_core.motion.dis_flow import DisFlow, DisFlowSettings
from cups_core.motion.region_segmenter import RegionSegmenter
from cups_core.motion.scene_flow import StereoMotion
from cups_core.motion.semi_global_matching import SemiGlobalMatching, SemiGlobalMatchingSettings
from cups_core.motion.sf2se3.ensemble import RigidMotionClustering
from cups_core.rig import StereoRig

# The bundles do not say it; their README does: ten frames per second.
INTERVAL_S = 0.1
REPEATS = 3

Segmenter = Callable[[StereoMotion, StereoRig], NDArray[np.uint16]]


def _segment_by_region(motion: StereoMotion, rig: StereoRig) -> NDArray[np.uint16]:
    return RegionSegmenter().segment(motion, rig, INTERVAL_S).segments.instances


def _segment_by_clustering(motion: StereoMotion, rig: StereoRig) -> NDArray[np.uint16]:
    return RigidMotionClustering().segment(motion, rig, INTERVAL_S).segments.instances


METHODS: dict[str, Segmenter] = {"region": _segment_by_region, "sf2se3": _segment_by_clustering}


class Bundle:
    """One benchmark file: rig, estimates and truth."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            self._arrays = {
                key: value.astype(np.float32) if value.dtype == np.float16 else value
                for key, value in arrays.items()
            }
        self.name = path.stem
        height, width = self._arrays["disp0"].shape
        self.rig = StereoRig(self._arrays["K"], float(self._arrays["baseline"]), width, height)

    @property
    def group(self) -> str:
        """Bundles are pooled per sequence and kind of input."""
        parts = self.name.split("_")
        return f"{parts[0]}_{parts[-1]}" if not parts[-1].isdigit() else parts[0]

    @property
    def motion(self) -> StereoMotion:
        """Flow and disparity as the bundle gives them."""
        flows = (
            np.ascontiguousarray(self._arrays[key].transpose(1, 2, 0))
            for key in ("flow_fw", "flow_bw")
        )
        maps = (self._arrays[key] for key in ("disp0", "disp0_rl", "disp1", "disp1_rl"))
        return StereoMotion(*flows, *maps)

    @property
    def truth(self) -> MotionTruth:
        """Movers and static things."""
        return MotionTruth(
            self._arrays["gt_instance"],
            self._arrays["gt_static_thing"],
            self._arrays["disp0"],
            self.rig.focal_baseline,
        )


def _images(bag: Path) -> dict[str, list[NDArray[np.uint8]]]:
    """RGB frames of both cameras in order of time."""
    frames: dict[str, list[NDArray[np.uint8]]] = {"left": [], "right": []}
    with AnyReader([bag]) as reader:
        for connection, _, raw in reader.messages():
            if connection.msgtype != "sensor_msgs/msg/CompressedImage":
                continue
            message = reader.deserialize(raw, connection.msgtype)
            image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
            side = "left" if "left" in connection.topic else "right"
            frames[side].append(np.ascontiguousarray(image[..., ::-1]))
    return frames


def _estimate(frames: dict[str, list[NDArray[np.uint8]]], index: int) -> StereoMotion:
    """Flow and disparity of frames `index` and the next one with the project's own estimators."""
    # The offline settings: nothing here has to hold a rate.
    flow = DisFlow(DisFlowSettings(search_iterations=12, refinement_iterations=2))
    stereo = SemiGlobalMatching(SemiGlobalMatchingSettings(downscale=1))
    left, right = frames["left"], frames["right"]
    return StereoMotion(
        flow.flow(left[index], left[index + 1]),
        flow.flow(left[index + 1], left[index]),
        *stereo.disparities(left[index], right[index]),
        *stereo.disparities(left[index + 1], right[index + 1]),
    )


def _timed(
    segmenter: Segmenter, motion: StereoMotion, rig: StereoRig
) -> tuple[NDArray[np.uint16], float]:
    segmenter(motion, rig)  # compiles, fills caches
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        instances = segmenter(motion, rig)
        seconds.append(time.perf_counter() - start)
    return instances, min(seconds)


def _report(counts: list[MaskCounts], seconds: list[float]) -> dict[str, float]:
    pooled = total(counts)
    return {
        "frames": len(counts),
        "masks": pooled.masks,
        "movers": pooled.movers,
        "precision": round(pooled.precision, 3),
        "recall": round(pooled.recall, 3),
        "recall_40m": round(pooled.near_recall, 3),
        "foreground_iou": round(pooled.foreground_iou, 3),
        "mean_best_iou": round(pooled.mean_best_iou, 3),
        "false_static": pooled.on_static,
        "false_background": pooled.on_background,
        "fragments": pooled.fragments,
        "seconds_per_frame": round(float(np.mean(seconds)), 4),
    }


def _paths(given: list[Path]) -> Iterator[Path]:
    for path in given:
        found = sorted(path.glob("*.npz")) if path.is_dir() else [path]
        if not found:
            raise SystemExit(f"{path}: expected .npz bundles in this folder, found none")
        yield from found


class Scores:
    """Counts and seconds of one method, pooled by group."""

    def __init__(self) -> None:
        self._counts: dict[str, list[MaskCounts]] = {}
        self._seconds: dict[str, list[float]] = {}

    def add(self, group: str, counts: MaskCounts, seconds: float) -> None:
        """One frame."""
        self._counts.setdefault(group, []).append(counts)
        self._seconds.setdefault(group, []).append(seconds)

    def report(self) -> dict[str, dict[str, float]]:
        """Figures of each group."""
        return {group: _report(self._counts[group], self._seconds[group]) for group in self._counts}


def _published(bundles: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Figures of other methods that came with the bundles, named as ours; none without a file."""
    path = (bundles if bundles.is_dir() else bundles.parent).parent / "baselines.json"
    if not path.is_file():
        return {}
    ours = {
        "gt": "movers",
        "recall40": "recall_40m",
        "fg_iou": "foreground_iou",
        "mean_seconds": "seconds_per_frame",
    }
    return {
        method: {
            group: {ours.get(name, name): value for name, value in figures.items()}
            for group, figures in groups.items()
        }
        for method, groups in json.loads(path.read_text()).items()
    }


def _print_side_by_side(methods: dict[str, dict[str, dict[str, float]]], as_json: bool) -> None:
    """One table per group, one line per method."""
    columns = (
        "seconds_per_frame",
        "masks",
        "precision",
        "recall",
        "recall_40m",
        "foreground_iou",
        "mean_best_iou",
        "false_static",
        "false_background",
        "fragments",
    )
    groups = sorted({group for report in methods.values() for group in report})
    tables = {
        group: [
            {"method": name} | {column: report[group][column] for column in columns}
            for name, report in methods.items()
            if group in report
        ]
        for group in groups
    }
    print_rows(tables, as_json)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--bundle", type=Path, nargs="+", required=True, help="bundle files or folders of them"
    )
    parser.add_argument(
        "--out", type=Path, help="id map (PNG) of one bundle, or a folder for several"
    )
    parser.add_argument("--method", choices=[*sorted(METHODS), "all"], default="region")
    parser.add_argument(
        "--images", type=Path, help="bag with the images of the real bundles: judge these instead"
    )
    parser.add_argument("--json", action="store_true", help="pooled scores as JSON")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    frames = _images(arguments.images) if arguments.images else None
    paths = list(_paths(arguments.bundle))
    chosen = sorted(METHODS) if arguments.method == "all" else [arguments.method]
    reports = {}
    for name in chosen:
        out = arguments.out / name if arguments.out and len(chosen) > 1 else arguments.out
        reports[name] = _score(name, paths, frames, out, not arguments.json)
    if arguments.method == "all":
        groups = {group for report in reports.values() for group in report}
        for name, figures in _published(arguments.bundle[0]).items():
            reports[name] = {group: row for group, row in figures.items() if group in groups}
        _print_side_by_side(reports, arguments.json)
    elif arguments.json:
        json.dump({"method": chosen[0], "groups": reports[chosen[0]]}, sys.stdout, indent=1)
        print()
    else:
        for group, row in reports[chosen[0]].items():
            print(f"== {group} {row}")


def _score(
    method: str,
    paths: list[Path],
    frames: dict[str, list[NDArray[np.uint8]]] | None,
    out: Path | None,
    aloud: bool,
) -> dict[str, dict[str, float]]:
    """Figures of one method by group; writes its id maps where asked to, prints each frame's."""
    scores = Scores()
    for path in paths:
        bundle = Bundle(path)
        if frames is None:
            motion = bundle.motion
        elif bundle.name.rsplit("_", 1)[-1].isdigit():
            motion = _estimate(frames, int(bundle.name.rsplit("_", 1)[-1]))
        else:
            continue  # synthetic bundles have no frame in the bag
        instances, spent = _timed(METHODS[method], motion, bundle.rig)
        counts = count_masks(instances, bundle.truth)
        scores.add(bundle.group, counts, spent)
        if out:
            file = out if len(paths) == 1 and out.suffix else out / f"{bundle.name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(file), instances)
        if aloud:
            print(method, bundle.name, _report([counts], [spent]))
    return scores.report()


if __name__ == "__main__":
    main()
