"""ONNX detectors as users bring them: real graphs in ONNX Runtime, in every layout."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from numpy.typing import NDArray
from onnx import TensorProto, helper

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_training.privacy.onnx_detector import OnnxDetector
from cups_training.privacy.regions import FACE, PLATE, FrameContext, Region
from cups_training.whole_files import FileError

from .color_finder import NAMES, SIDE_PX, write_finder

HEIGHT, WIDTH = 96, 160
FACE_AT = Region(24.0, 40.0, SIDE_PX, SIDE_PX, FACE, 1.0)
PLATE_AT = Region(112.0, 64.0, SIDE_PX, SIDE_PX, PLATE, 1.0)
LAYOUTS = (
    *("yolo_v8", "yolo_v8_rows", "yolo_v5", "rows", "batched_rows"),
    *("separate", "score_columns"),
)


def picture(height: int = HEIGHT, width: int = WIDTH, *things: Region) -> NDArray[np.uint8]:
    found = np.full((height, width, 3), 90, np.uint8)
    for thing in things:
        rows = slice(int(thing.y), int(thing.y + thing.height))
        columns = slice(int(thing.x), int(thing.x + thing.width))
        found[rows, columns] = (250, 10, 10) if thing.kind == FACE else (10, 10, 250)
    return found


def context(left: NDArray[np.uint8]) -> FrameContext:
    height, width = left.shape[:2]
    K = np.array([[100.0, 0, width / 2], [0, 100.0, height / 2], [0, 0, 1]])
    return FrameContext("d", "left", StereoFrame(left, left, 1, StereoRig(K, 0.5, width, height)))


def iou(a: Region, b: Region) -> float:
    common = a.covers(b) * min(a.width * a.height, b.width * b.height)
    return common / (a.width * a.height + b.width * b.height - common)


def assert_both_found(found: list[Region], *expected: Region) -> None:
    assert len(found) == len(expected), found
    for thing in expected:
        (same,) = [region for region in found if region.kind == thing.kind]
        assert iou(same, thing) > 0.6
        assert same.score > 0.7


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_output_layout_is_recognised_by_its_shape(tmp_path: Path, layout: str) -> None:
    detector = OnnxDetector(write_finder(tmp_path / "finder.onnx", layout))
    found = detector.regions(context(picture(HEIGHT, WIDTH, FACE_AT, PLATE_AT)))
    assert_both_found(found, FACE_AT, PLATE_AT)
    assert detector.regions(context(picture())) == []


@pytest.mark.parametrize("axes", ["nchw", "nhwc", "chw", "hwc"])
@pytest.mark.parametrize("dtype", [TensorProto.UINT8, TensorProto.FLOAT, TensorProto.FLOAT16])
def test_every_order_of_axes_and_type_of_input_works(tmp_path: Path, axes: str, dtype: int) -> None:
    path = write_finder(tmp_path / "finder.onnx", "yolo_v8", axes=axes, dtype=dtype)
    found = OnnxDetector(path).regions(context(picture(HEIGHT, WIDTH, FACE_AT, PLATE_AT)))
    assert_both_found(found, FACE_AT, PLATE_AT)
