"""Scenes of KITTI 2012 with their LiDAR truth, read from a folder laid out as the suite has it.

The flow and the disparity benchmark judge our estimators on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

ONLINE_SIZE = (1280, 640)


@dataclass(frozen=True, eq=False)
class Flow:
    """True flow float32 (H, W, 2), pixels, and where it is known, bool (H, W)."""

    values: NDArray[np.float32]
    known: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scene:
    """Gray stereo pairs at t and t+1 with truth at t; "seen" truth leaves out what gets hidden."""

    name: str
    left: NDArray[np.uint8]
    right: NDArray[np.uint8]
    next_left: NDArray[np.uint8]
    seen_flow: Flow
    flow: Flow
    seen_disparity: NDArray[np.float32]
    disparity: NDArray[np.float32]


def read_scenes(folder: Path) -> list[Scene]:
    """All scenes of `folder`, which holds image_0, image_1, flow_noc, flow_occ, disp_noc, disp_occ.

    Raises:
        InputError: the folder holds no scene, or a file of one is missing.
    """
    names = sorted(path.name.removesuffix("_10.png") for path in folder.glob("flow_occ/*_10.png"))
    if not names:
        raise InputError(f"{folder}: expected KITTI 2012 with flow_occ/*_10.png, found none")
    return [
        Scene(
            name,
            _read(folder / "image_0" / f"{name}_10.png"),
            _read(folder / "image_1" / f"{name}_10.png"),
            _read(folder / "image_0" / f"{name}_11.png"),
            _read_flow(folder / "flow_noc" / f"{name}_10.png"),
            _read_flow(folder / "flow_occ" / f"{name}_10.png"),
            _read(folder / "disp_noc" / f"{name}_10.png").astype(np.float32) / 256,
            _read(folder / "disp_occ" / f"{name}_10.png").astype(np.float32) / 256,
        )
        for name in names
    ]


def outliers(error: NDArray[np.float32], truth: NDArray[np.float32]) -> NDArray[np.bool_]:
    """KITTI 2015's bad pixels: more than 3 px and more than 5 % of the true length off."""
    return (error > 3) & (error > 0.05 * truth)


def best_ms(call: Callable[[], object], repeats: int) -> float:
    """The shortest of several runs, milliseconds: the one that other processes disturbed least."""
    durations = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        durations.append(time.perf_counter() - begin)
    return 1e3 * min(durations)


def _read(path: Path) -> NDArray[np.generic]:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise InputError(f"{path}: expected a PNG image, found none")
    return image


def _read_flow(path: Path) -> Flow:
    blue_green_red = _read(path)
    values = (blue_green_red[..., :0:-1].astype(np.float32) - 2**15) / 64
    return Flow(np.ascontiguousarray(values), blue_green_red[..., 0] > 0)
