"""ONNX detectors as users bring them: real graphs in ONNX Runtime, in every layout."""

from __future__ import annotations

import hashlib
import json
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
    *("yolo_v8", "yolo_v5", "rows", "batched_rows"),
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


@pytest.mark.parametrize("form", ["letterbox", "stretch"])
def test_boxes_come_back_to_a_picture_of_another_size(tmp_path: Path, form: str) -> None:
    path = write_finder(tmp_path / "finder.onnx", "yolo_v8", resize=form)
    # Twice as wide as the input and four times as high.
    factors = (4, 4) if form == "letterbox" else (2, 4)
    things = [
        Region(48.0, 208.0, factors[0] * SIDE_PX, factors[1] * SIDE_PX, FACE, 1.0),
        Region(208.0, 64.0, factors[0] * SIDE_PX, factors[1] * SIDE_PX, PLATE, 1.0),
    ]
    found = OnnxDetector(path).regions(context(picture(4 * HEIGHT, 2 * WIDTH, *things)))
    assert_both_found(found, *things)


@pytest.mark.parametrize("layout", ["separate", "yolo_v8", "rows"])
def test_a_model_that_takes_any_size_gets_the_picture_in_full(tmp_path: Path, layout: str) -> None:
    path = write_finder(tmp_path / "finder.onnx", layout, size=None)
    found = OnnxDetector(path).regions(context(picture(101, 203, FACE_AT, PLATE_AT)))
    assert_both_found(found, FACE_AT, PLATE_AT)


def test_the_user_may_set_the_size_of_such_a_model(tmp_path: Path) -> None:
    path = write_finder(
        tmp_path / "finder.onnx", "yolo_v8", size=None, input_width=WIDTH, input_height=HEIGHT
    )
    large = [Region(48.0, 80.0, 32, 32, FACE, 1.0), Region(224.0, 128.0, 32, 32, PLATE, 1.0)]
    found = OnnxDetector(path).regions(context(picture(2 * HEIGHT, 2 * WIDTH, *large)))
    assert_both_found(found, *large)


def test_tiles_find_what_is_too_small_in_the_whole_picture(tmp_path: Path) -> None:
    height, width = 4 * HEIGHT, 4 * WIDTH
    far = [Region(300.0, 200.0, SIDE_PX, SIDE_PX, FACE, 1.0)]
    far.append(Region(500.0, 260.0, SIDE_PX, SIDE_PX, PLATE, 1.0))
    near = Region(64.0, 64.0, 4 * SIDE_PX, 4 * SIDE_PX, FACE, 1.0)
    seen = context(picture(height, width, *far, near))
    size = (HEIGHT, HEIGHT)
    plain = OnnxDetector(
        write_finder(tmp_path / "plain.onnx", "yolo_v8", size=size, resize="stretch")
    )
    path = write_finder(tmp_path / "tiled.onnx", "yolo_v8", size=size, tile_px=HEIGHT)
    tiled = OnnxDetector(path).regions(seen)
    assert not any(iou(region, thing) > 0.3 for region in plain.regions(seen) for thing in far)
    for thing in far:
        assert any(iou(region, thing) > 0.6 and region.kind == thing.kind for region in tiled)


def test_the_pixels_are_scaled_and_normalised_as_the_file_says(tmp_path: Path) -> None:
    # The graph undoes a scale of 1 itself; colors that come in swapped are found as the other kind.
    path = write_finder(tmp_path / "finder.onnx", "yolo_v8", scale=1.0, channels="bgr")
    (found,) = OnnxDetector(path).regions(context(picture(HEIGHT, WIDTH, FACE_AT)))
    assert found.kind == PLATE
    # A mean of the brightest red leaves nothing red.
    path = write_finder(tmp_path / "other.onnx", "yolo_v8", mean=[1.0, 0.0, 0.0], std=[1, 1, 1])
    assert OnnxDetector(path).regions(context(picture(HEIGHT, WIDTH, FACE_AT))) == []


def test_only_the_classes_with_a_kind_are_hidden_each_above_its_threshold(tmp_path: Path) -> None:
    path = write_finder(tmp_path / "finder.onnx", "yolo_v8", kinds={"plate": "plate"})
    seen = context(picture(HEIGHT, WIDTH, FACE_AT, PLATE_AT))
    assert [region.kind for region in OnnxDetector(path).regions(seen)] == [PLATE]
    path = write_finder(tmp_path / "strict.onnx", "yolo_v8", thresholds={"face": 0.99})
    assert [region.kind for region in OnnxDetector(path).regions(seen)] == [PLATE]


def test_names_come_from_the_metadata_of_the_model(tmp_path: Path) -> None:
    metadata = {"names": "{0: 'person', 1: 'face', 2: 'plate'}"}
    path = write_finder(tmp_path / "finder.onnx", "yolo_v8", metadata=metadata)
    found = OnnxDetector(path).regions(context(picture(HEIGHT, WIDTH, FACE_AT, PLATE_AT)))
    assert_both_found(found, FACE_AT, PLATE_AT)


def test_the_provenance_names_the_model_by_its_sha256(tmp_path: Path) -> None:
    path = write_finder(tmp_path / "finder.onnx", "rows", thresholds={"face": 0.8})
    found = OnnxDetector(path).provenance()
    assert found["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found["thresholds"] == {"face": 0.8, "plate": 0.7}
    assert found["output_layout"] == "rows"
    assert found["kinds"] == {"face": "face", "plate": "plate"}
    assert json.loads(json.dumps(found)) == found


def test_a_detector_goes_to_other_processes(tmp_path: Path) -> None:
    detector = OnnxDetector(write_finder(tmp_path / "finder.onnx", "yolo_v8"))
    again = pickle.loads(pickle.dumps(detector))
    seen = context(picture(HEIGHT, WIDTH, FACE_AT, PLATE_AT))
    assert again.regions(seen) == detector.regions(seen)


def test_a_list_of_six_columns_that_two_layouts_fit_is_asked_about(tmp_path: Path) -> None:
    path = write_identity(tmp_path / "model.onnx", [1, 50, 6])
    with pytest.raises(InputError, match=r"\(1, 50, 6\).* rows or as yolo_v5; say output_layout"):
        OnnxDetector(path)
    entries = {"output_layout": "rows"} | yaml.safe_load(path.with_suffix(".yaml").read_text())
    path.with_suffix(".yaml").write_text(yaml.safe_dump(entries))
    assert OnnxDetector(path).provenance()["output_layout"] == "rows"


@pytest.mark.parametrize("shape", [[1, 50, 9], [50], [2, 50, 6], [1, 1, 50, 6]])
def test_an_unknown_output_is_explained(tmp_path: Path, shape: list[int]) -> None:
    path = write_identity(tmp_path / "model.onnx", shape)
    with pytest.raises(InputError, match=r"fit no known layout.*Known are rows"):
        OnnxDetector(path)


def test_scores_without_their_sigmoid_are_refused(tmp_path: Path) -> None:
    rows = np.tile(np.array([10, 10, 30, 30, 4.5, 0], np.float32), (3, 1))
    path = write_constant(tmp_path / "model.onnx", rows)
    with pytest.raises(InputError, match=r"expected 0 to 1, found .*sigmoid"):
        OnnxDetector(path).regions(context(picture()))


def test_classes_that_names_does_not_list_are_refused(tmp_path: Path) -> None:
    rows = np.tile(np.array([10, 10, 30, 30, 0.9, 7], np.float32), (3, 1))
    path = write_constant(tmp_path / "model.onnx", rows)
    with pytest.raises(InputError, match="expected numbers from 0 to 2 .*found 7 to 7"):
        OnnxDetector(path).regions(context(picture()))


@pytest.mark.parametrize(
    ("box", "entries", "message"),
    [
        # shares where pixels are expected, and the other way round
        ((0.1, 0.1, 0.3, 0.3), {}, "say box_units: shares"),
        ((10, 10, 30, 30), {"box_units": "shares"}, "say box_units: pixels"),
        # a center and a size read as corners
        ((80, 80, 20, 20), {}, "say box_form"),
        ((np.nan, 10, 30, 30), {}, "not finite"),
    ],
)
def test_boxes_of_another_form_are_not_taken_as_they_are(
    tmp_path: Path, box: tuple[float, ...], entries: dict[str, Any], message: str
) -> None:
    path = write_constant(tmp_path / "m.onnx", np.array([[*box, 0.9, 1]], np.float32), **entries)
    with pytest.raises(InputError, match=message):
        OnnxDetector(path).regions(context(picture()))


@pytest.mark.parametrize(
    ("box", "entries"),
    [
        ((0.25, 0.25, 0.5, 0.75), {"box_units": "shares"}),
        ((24, 40, 72, 80), {"box_form": "corners_yx"}),
        ((60, 48, 40, 48), {"box_form": "center"}),
    ],
)
def test_every_form_of_box_gives_the_same_region(
    tmp_path: Path, box: tuple[float, ...], entries: dict[str, Any]
) -> None:
    path = write_constant(tmp_path / "m.onnx", np.array([[*box, 0.9, 1]], np.float32), **entries)
    (found,) = OnnxDetector(path).regions(context(picture()))
    assert (found.x, found.y, found.width, found.height) == pytest.approx(
        (40, 24, 40, 48), abs=1e-4
    )


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"kinds": {"faces": "face"}}, "no class 'faces'; did you mean 'face'"),
        ({"kinds": {"face": "nose"}}, "kinds.face: expected face or plate, found 'nose'"),
        ({"kinds": {}}, "kinds: expected what to hide"),
        ({"score_treshold": 0.3}, "did you mean 'score_threshold'"),
        ({"thresholds": {"person": 0.2}}, "not among kinds"),
        ({"outputs": {"box": "x"}}, "outputs: expected boxes, scores and classes"),
        ({"names": ["face", "plate"]}, "fit no known layout"),
        ({"names": "face"}, "names: expected a list"),
        ({"mean": [1, 2]}, "mean: expected three numbers"),
        ({"input_scale": 0.0}, "input_scale: .*0.00392157"),
        ({"input_layout": "hwc"}, "input_layout: hwc does not fit"),
        ({"input_width": 64}, "input_width: the file says 64, the model takes"),
        ({"output_layout": "rows"}, "fit no known layout rows"),
    ],
)
def test_a_description_that_does_not_fit_says_why(
    tmp_path: Path, entries: dict[str, Any], message: str
) -> None:
    path = write_finder(tmp_path / "finder.onnx", "yolo_v8", **entries)
    with pytest.raises(InputError, match=message):
        OnnxDetector(path)


def test_a_missing_or_broken_file_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"nothing.onnx: cannot be read"):
        OnnxDetector(tmp_path / "nothing.onnx")
    path = write_finder(tmp_path / "finder.onnx", "yolo_v8")
    description = path.with_suffix(".yaml")
    kept = description.read_text()
    description.unlink()
    with pytest.raises(FileError, match=r"finder.yaml: .*kinds: \{face: face\}"):
        OnnxDetector(path)
    description.write_text("a: [")
    with pytest.raises(FileError, match="expected YAML"):
        OnnxDetector(path)
    description.write_text(kept)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FileError, match="expected a model that ONNX Runtime reads"):
        OnnxDetector(path)


def test_outputs_without_telling_names_are_named_by_the_user(tmp_path: Path) -> None:
    boxes = np.array([[10, 10, 30, 30]], np.float32)
    found = {"a": boxes, "b": np.array([0.9], np.float32), "c": np.array([1], np.int64)}
    # A second list of numbers as long as the boxes: which of them is the class?
    found["d"] = np.array([5], np.int64)
    path = write_constants(tmp_path / "model.onnx", found)
    with pytest.raises(InputError, match=r"can be read as separate \(a, b, c\) or as separate"):
        OnnxDetector(path)
    path = write_constants(tmp_path / "model.onnx", found, outputs={"classes": "c"})
    (region,) = OnnxDetector(path).regions(context(picture()))
    assert region == Region(10, 10, 20, 20, FACE, pytest.approx(0.9))


def test_a_model_with_two_inputs_is_explained(tmp_path: Path) -> None:
    path = write_identity(tmp_path / "model.onnx", [1, 50, 6], more_inputs=("image_size",))
    with pytest.raises(InputError, match="expected one picture .*image_size"):
        OnnxDetector(path)


def write_identity(path: Path, shape: list[int], more_inputs: tuple[str, ...] = ()) -> Path:
    """A model of one class that gives zeros of a shape."""
    return write_constants(
        path,
        {"out": np.zeros(shape, np.float32)},
        more_inputs,
        names=["face"],
        kinds={"face": "face"},
    )


def write_constant(path: Path, rows: NDArray[np.float32], **entries: Any) -> Path:
    """A model that finds the same rows in every picture."""
    return write_constants(path, {"rows": rows}, **entries)


def write_constants(
    path: Path, found: dict[str, NDArray[Any]], more_inputs: tuple[str, ...] = (), **entries: Any
) -> Path:
    """A model that gives the same outputs for every picture."""
    nodes, infos = [], []
    for name, values in found.items():
        tensor = onnx.numpy_helper.from_array(values, name)
        nodes.append(helper.make_node("Constant", [], [name], value=tensor))
        infos.append(helper.make_tensor_value_info(name, tensor.data_type, values.shape))
    names = ("picture", *more_inputs)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.UINT8, [1, 3, HEIGHT, WIDTH])
        for name in names
    ]
    graph = helper.make_graph(nodes, "constant", inputs, infos)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(made, path)
    described = {"names": NAMES, "kinds": {"face": "face", "plate": "plate"}} | entries
    path.with_suffix(".yaml").write_text(yaml.safe_dump(described))
    return path
