"""A synthetic drive at a glance: pictures and truth side by side, for people.

The command line calls it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.frames import StereoFrame
from cups_training.contact_sheet import contact_sheet
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.truth import FrameTruth

COLUMNS = 4


def preview(drive: SyntheticDrive, rows: int = 4, tile_width: int = 480) -> NDArray[np.uint8]:
    """Up to `rows` frames; columns: left with movers outlined, disparity, flow, instances.

    Returns:
        uint8 (H, W, 3), RGB.
    """
    tiles, captions = [], []
    for index in np.unique(np.linspace(0, len(drive) - 1, rows).round().astype(int)).tolist():
        frame, truth = drive.frame_with_truth(index)
        tiles += [_outlined(frame, truth), _disparity(truth), _flow(truth), _instances(truth)]
        captions += [f"frame {index}", "disparity", "flow", "instances, bright where they move"]
    return contact_sheet(tiles, captions, COLUMNS, tile_width)


def _outlined(frame: StereoFrame, truth: FrameTruth) -> NDArray[np.uint8]:
    picture = frame.left.copy()
    outline = cv2.morphologyEx(
        truth.moving.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    )
    picture[outline > 0] = (255, 40, 40)
    return picture


def _disparity(truth: FrameTruth) -> NDArray[np.uint8]:
    scaled = np.clip(truth.disparity / (0.12 * truth.disparity.shape[1]) * 255, 0, 255).astype(
        np.uint8
    )
    return np.asarray(cv2.applyColorMap(scaled, cv2.COLORMAP_TURBO)[..., ::-1], np.uint8)


def _flow(truth: FrameTruth) -> NDArray[np.uint8]:
    flow = np.nan_to_num(truth.flow_forward)
    angle = np.degrees(np.arctan2(flow[..., 1], flow[..., 0])) % 360 / 2
    strength = np.clip(np.linalg.norm(flow, axis=-1) / (0.04 * flow.shape[1]), 0, 1) * 255
    hsv = np.stack([angle, strength, np.full_like(angle, 255)], axis=-1).astype(np.uint8)
    picture = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    picture[truth.occluded_forward] //= 2
    return np.asarray(picture, np.uint8)


def _instances(truth: FrameTruth) -> NDArray[np.uint8]:
    shades = (
        np.random.default_rng(0)
        .integers(60, 256, (int(truth.instance.max()) + 1, 3))
        .astype(np.uint8)
    )
    shades[0] = 0
    picture = shades[truth.instance]
    # Static objects are dim.
    picture[~truth.moving] //= 3
    return np.asarray(picture, np.uint8)
