"""Scores whole-clip motion labels of a synthetic dataset, motion alone, against its truth.

    python -m benchmark.clip_motion --dataset DIR [--drives N] [--set propagate=false] [--json]

A recognisable thing that stands now may have moved earlier in the clip, and then its mask is
right: precision is given on movers only and on all things.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

# One thread, so that machines can be compared; BLAS reads it when NumPy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from benchmark.table import Row, print_rows
from cups_core.drawing import overlay_segments
from cups_core.metrics.motion_masks import MaskCounts, MotionTruth, count_masks, total
from cups_core.motion.clip import ClipMotion, ClipSettings, PairSegmenter
from cups_core.motion.region_segmenter import RegionSegmenter
from cups_core.settings import SettingValue, make_settings, settings_of
from cups_training.dataset.dataset import Dataset
from cups_training.dataset.drive import Drive
from cups_training.synthetic.classes import StreetClass
from cups_training.synthetic.dataset import DISPARITY_UNITS_PER_PX
from cups_training.whole_files import read_picture

METHODS: dict[str, Callable[[], PairSegmenter]] = {"region": RegionSegmenter}
THINGS = (StreetClass.PERSON, StreetClass.RIDER, StreetClass.CAR, StreetClass.BICYCLE)


def _truth(dataset: Dataset, drive: Drive, stamp_ns: int) -> tuple[MotionTruth, MotionTruth]:
    """Truth of what moves, and the same with all things counted as movers."""
    semantic, instance, moving, disparity = (
        read_picture(dataset.truth(drive.name) / f"{stamp_ns}_{kind}.png").astype(np.int32)
        for kind in ("semantic", "instance", "moving", "disparity")
    )
    things = np.where(np.isin(semantic, THINGS), instance, 0)
    distances = (disparity / DISPARITY_UNITS_PER_PX).astype(np.float32)
    movers = MotionTruth(
        moving, np.where(moving == 0, things, 0), distances, drive.rig.focal_baseline
    )
    return movers, replace(movers, movers=things, static_things=np.zeros_like(things))


def _row(
    name: str, movers: list[MaskCounts], things: list[MaskCounts], seconds: float, processor: float
) -> Row:
    moving, all_things = total(movers), total(things)
    static = all_things.movers - moving.movers
    found_static = all_things.found_movers - moving.found_movers
    return {
        "drive": name,
        "precision": moving.precision,
        "precision on things": all_things.precision,
        "recall": moving.recall,
        "recall 40 m": moving.near_recall,
        "foreground IoU": moving.foreground_iou,
        "static recall": found_static / max(static, 1),
        "masks": float(moving.masks),
        "movers": float(moving.movers),
        "on static": float(moving.on_static),
        "on background": float(moving.on_background),
        "fragments": float(moving.fragments),
        "s per frame": seconds / max(len(movers), 1),
        "processor s": processor / max(len(movers), 1),
    }


def _setting(text: str) -> tuple[str, SettingValue]:
    name, _, value = text.partition("=")
    kinds = {item.name: type(item.default) for item in settings_of(ClipSettings)}
    kind = kinds.get(name, str)
    if kind is bool:
        return name, value.lower() in ("true", "1", "yes")
    return name, kind(value)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--drives", type=int, help="only so many drives")
    parser.add_argument("--method", choices=sorted(METHODS), default="region")
    parser.add_argument("--set", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--pictures", type=Path, help="write an overlay of each frame here")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    settings = make_settings(ClipSettings, dict(arguments.set))
    dataset = Dataset(arguments.dataset)
    rows, movers, things, seconds, processor = [], [], [], 0.0, 0.0
    for drive in dataset.drives[: arguments.drives]:
        clip = ClipMotion(settings, METHODS[arguments.method]())
        frames = list(drive.frames())
        start = time.perf_counter(), time.process_time()
        found = clip.label(frames)
        spent = time.perf_counter() - start[0], time.process_time() - start[1]
        counts: list[tuple[MaskCounts, MaskCounts]] = []
        for frame, result in zip(frames, found, strict=True):
            instances = result.segments.instances
            truths = _truth(dataset, drive, result.stamp_ns)
            counts.append((count_masks(instances, truths[0]), count_masks(instances, truths[1])))
            if arguments.pictures:
                arguments.pictures.mkdir(parents=True, exist_ok=True)
                picture = overlay_segments(frame.left, result.segments)
                name = arguments.pictures / f"{drive.name}_{result.stamp_ns}.jpg"
                cv2.imwrite(str(name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        movers += [pair[0] for pair in counts]
        things += [pair[1] for pair in counts]
        seconds, processor = seconds + spent[0], processor + spent[1]
        rows.append(
            _row(drive.name, [pair[0] for pair in counts], [pair[1] for pair in counts], *spent)
        )
    rows.append(_row("all", movers, things, seconds, processor))
    print_rows({f"clip motion, {arguments.method}": rows}, arguments.json)


if __name__ == "__main__":
    main()
