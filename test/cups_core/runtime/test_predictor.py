"""Images in, maps out, with real graphs in ONNX Runtime and OpenVINO; what is wrong is named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cups_core.centre_grouping import CentreVotes, GroupingSettings, group
from cups_core.errors import InputError, ModelError
from cups_core.runtime.backend import BackendUnavailable, RuntimeSettings
from cups_core.runtime.letterbox import Letterbox, fill
from cups_core.runtime.predictor import Predictor
from cups_core.runtime.semantic_winners import winners
from cups_core.runtime.sidecar import ModelInput, sidecar_path, write_sidecar

from .small_graphs import (
    CLASSES,
    HEIGHT,
    MEAN,
    STD,
    WIDTH,
    cascade_sidecar,
    detections,
    write_cascade,
    write_one_stage,
)

IMAGE = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
GRAPH_BACKENDS = ["onnxruntime", "openvino"]


def opened(model: Path, backend: str = "onnxruntime", class_names: Path | None = None) -> Predictor:
    pytest.importorskip(backend)
    return Predictor(model, RuntimeSettings(backend=backend, threads=1), class_names)


@pytest.mark.parametrize("backend", GRAPH_BACKENDS)
def test_things_come_by_score_and_stuff_by_class_under_the_sidecars_ids(
    backend: str, tmp_path: Path
) -> None:
    found = opened(write_cascade(tmp_path), backend).predict(IMAGE)
    assert found.segments.shape == IMAGE.shape[:2]
    assert [(item.class_id, item.class_name, item.is_thing) for item in found.table] == [
        (3, "car", True),
        (11, "person", True),
        (3, "car", True),
        (7, "road", False),
        (8, "sky", False),
        (9, "wall", False),
    ]
    assert [round(item.score, 3) for item in found.table] == [0.9, 0.8, 0.7, 1, 1, 1]
    assert (found.segments[10:40, 10:50] == 1).all()
    assert np.count_nonzero(found.segments == 1) == 30 * 40


@pytest.mark.parametrize("size", [(64, 128), (200, 400), (33, 50), (90, 40), (20, 300)])
def test_backends_agree_on_images_of_any_size(size: tuple[int, int], tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    maps = [opened(model, backend).predict(image).segments for backend in GRAPH_BACKENDS]
    assert maps[0].shape == size
    assert np.mean(maps[0] != maps[1]) < 0.002


def test_boxes_end_where_the_image_ends_not_at_the_padding(tmp_path: Path) -> None:
    # A square image fills the left half of the input; the second box lies over the padding alone.
    boxes = [[32, 16, 128, 48], [70, 0, 128, 64]]
    model = write_cascade(tmp_path, detections(boxes, (0.9, 0.8), (0, 1)))
    found = opened(model).predict(np.zeros((128, 128, 3), np.uint8))
    (thing,) = [item for item in found.table if item.is_thing]
    # Clipped to (32, 16, 64, 48) of 64 pixels, for an image of 128.
    assert thing.box == (64, 32, 64, 64)
    assert thing.area_px == 64 * 64


def test_one_color_gives_the_stuff_of_the_strongest_channel(tmp_path: Path) -> None:
    model = write_cascade(tmp_path, detections([], (), ()))
    image = np.full((50, 100, 3), (250, 10, 10), np.uint8)
    weights = np.random.default_rng(0).normal(0, 0.3, (4, 3, 4, 4)).astype(np.float32)
    normalised = (np.array([250, 10, 10]) - MEAN) / STD
    best = int(np.argmax(weights.sum((2, 3)) @ normalised))
    found = opened(model).predict(image)
    expected = () if best == 0 else (("road", "sky", "wall")[best - 1],)
    assert tuple(item.class_name for item in found.table) == expected


@pytest.mark.parametrize("backend", GRAPH_BACKENDS)
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (200, 150)])
def test_a_one_stage_network_becomes_the_map_of_its_grouping(
    backend: str, size: tuple[int, int], tmp_path: Path
) -> None:
    centres = np.zeros((100, 3), np.float32)
    centres[:3] = [(30, 20, 0.9), (90, 40, 0.8), (20, 50, 0.05)]
    predictor = opened(write_one_stage(tmp_path, centres), backend)
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    found = predictor.predict(image)
    box = Letterbox.of(size[1], size[0], predictor.sidecar.input)
    tensor = np.zeros((1, 3, HEIGHT, WIDTH), np.float32)
    fill(image, box, predictor.sidecar.input, tensor)
    outputs = predictor.backend.run(tensor)
    expected = group(
        CentreVotes(outputs["semantic"][0], outputs["centres"], outputs["offsets"][0]),
        winners(outputs["semantic"][0], box, 4),
        [item.is_thing for item in CLASSES],
        box.enlargement,
        GroupingSettings(),
    )
    np.testing.assert_array_equal(found.segments, expected.segments)
    assert [item.class_name for item in found.table] == [
        CLASSES[item.class_id].name for item in expected.table
    ]
    assert {item.is_thing for item in found.table} == {True, False}


def test_names_of_a_person_replace_those_of_the_sidecar(tmp_path: Path) -> None:
    names = tmp_path / "names.yaml"
    names.write_text(
        "classes:\n  3: {name: vehicle, color: [1, 2, 3]}\n  8: {is_ignored: true}\n"
        "  11: {is_ignored: true}\n"
    )
    model = write_cascade(tmp_path)
    plain, predictor = opened(model).predict(IMAGE), opened(model, class_names=names)
    found = predictor.predict(IMAGE)
    assert [item.class_name for item in found.table] == ["vehicle", "vehicle", "road", "wall"]
    assert [item.id for item in found.table] == [1, 2, 3, 4]
    for old, new in ((1, 1), (3, 2), (4, 3), (6, 4)):
        np.testing.assert_array_equal(plain.segments == old, found.segments == new)
    assert predictor.classes[1].color == (1, 2, 3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("classes: {4: {name: x}}", "class 4 is unknown, the model has 3, 7, 8, 9, 11"),
        ("classes: {3: car}", "found 'car'"),
        ("classes: {3: {is_thing: false}}", "expected any of name, color, is_ignored"),
        ("classes: {3: {name: 5}}", "name: expected str, found 5"),
        ("classes: {3: {color: [1, 2]}}", "expected a color"),
        ("- 1", "expected a key `classes`"),
        ("{", "expected YAML"),
    ],
)
def test_names_that_do_not_fit_are_refused(text: str, words: str, tmp_path: Path) -> None:
    names = tmp_path / "names.yaml"
    names.write_text(text)
    with pytest.raises(ModelError, match=words):
        opened(write_cascade(tmp_path), class_names=names)


@pytest.mark.parametrize("backend", GRAPH_BACKENDS)
@pytest.mark.parametrize(
    ("field", "changes", "words"),
    [
        ("input.name", {"input": ModelInput("picture", WIDTH, HEIGHT, MEAN, STD)}, "picture"),
        ("input.width", {"input": ModelInput("image", 160, HEIGHT, MEAN, STD)}, "160"),
        ("input.height", {"input": ModelInput("image", WIDTH, 96, MEAN, STD)}, "96"),
        ("classes", {"classes": CLASSES[:4]}, r"semantic \(1, 3, 16, 32\), the graph has"),
        ("outputs", {"kind": "one_stage", "outputs": (), "thresholds": {}}, "offsets"),
    ],
    ids=["name", "width", "height", "classes", "kind"],
)
def test_a_sidecar_that_contradicts_the_graph_is_refused_with_the_field(
    backend: str, field: str, changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    model = write_cascade(tmp_path, **changes)
    with pytest.raises(ModelError, match=f"{field}.*{words}"):
        opened(model, backend)


def test_a_model_of_another_hash_is_refused(tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    write_sidecar(sidecar_path(model), cascade_sidecar(sha256="1" * 64))
    with pytest.raises(ModelError, match="says sha256 1111"):
        opened(model)


def test_a_label_without_a_class_is_refused(tmp_path: Path) -> None:
    model = write_cascade(tmp_path, detections(labels=(0, 1, 2)))
    with pytest.raises(ModelError, match="lists 2 things, the model found labels 0 to 2"):
        opened(model).predict(IMAGE)


def test_unknown_thresholds_are_refused(tmp_path: Path) -> None:
    model = write_cascade(tmp_path, thresholds={"least_scor": 0.5})
    with pytest.raises(ModelError, match="thresholds: .*did you mean 'least_score'"):
        opened(model)


@pytest.mark.parametrize(
    ("precision", "words"), [("fp32", "weights are broken"), ("fp16", "take the fp32 export")]
)
@pytest.mark.parametrize("name", ["boxes", "scores", "masks"])
def test_numbers_that_are_none_never_become_a_map(
    name: str, precision: str, words: str, tmp_path: Path
) -> None:
    constants = detections()
    constants[name][1] = np.nan
    model = write_cascade(tmp_path, constants, precision=precision)
    with pytest.raises(BackendUnavailable, match=f"output {name} holds NaN.*{words}"):
        opened(model).predict(IMAGE)


def test_unused_rows_may_hold_anything(tmp_path: Path) -> None:
    constants = detections()
    constants["boxes"][50], constants["labels"][50] = np.nan, 99
    found = opened(write_cascade(tmp_path, constants)).predict(IMAGE)
    assert sum(item.is_thing for item in found.table) == 3


def test_a_foreign_file_under_the_right_hash_is_explained_by_each_backend(tmp_path: Path) -> None:
    from cups_core.runtime.model_file import sha256_of

    model = write_cascade(tmp_path)
    model.write_text("this is no graph")
    write_sidecar(sidecar_path(model), cascade_sidecar(sha256=sha256_of(model)))
    with pytest.raises(BackendUnavailable, match="no backend runs it") as caught:
        Predictor(model, tell=lambda words: None)
    assert "ONNX Runtime on the processor passed over: cannot run" in str(caught.value)
    assert "OpenVINO passed over:" in str(caught.value)


@pytest.mark.parametrize(
    "image", [np.zeros((64, 128), np.uint8), np.zeros((64, 128, 3), np.float32)]
)
def test_an_image_of_another_type_is_refused_before_anything_runs(
    image: np.ndarray, tmp_path: Path
) -> None:
    predictor = opened(write_cascade(tmp_path))
    with pytest.raises(InputError, match="expected uint8 RGB"):
        predictor.predict(image)
    assert predictor.predict(IMAGE).table


def test_a_missing_model_and_an_unknown_ending_are_named(tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    model.unlink()
    with pytest.raises(ModelError, match=r"small\.onnx: expected a model.*No such file"):
        opened(model)
    with pytest.raises(ModelError, match="expected a name that ends with .onnx"):
        opened(tmp_path / "small.engine")


def test_a_warm_up_says_how_long_images_take(tmp_path: Path) -> None:
    found = opened(write_cascade(tmp_path)).warm_up(width=60, height=30)
    assert found.frames == 3
    assert found.first_ms > 0
    assert found.steady_ms > 0


@pytest.mark.parametrize("backend", GRAPH_BACKENDS)
def test_the_description_says_precision_and_threads(backend: str, tmp_path: Path) -> None:
    predictor = opened(write_cascade(tmp_path), backend)
    assert predictor.backend.name == backend
    assert "fp32" in predictor.backend.description
    assert "1 threads" in predictor.backend.description


def test_bfloat16_is_taken_only_when_it_is_asked_for(tmp_path: Path) -> None:
    core = pytest.importorskip("openvino").Core()
    if "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        pytest.skip("this processor has no bfloat16")
    model = write_cascade(tmp_path)
    settings = RuntimeSettings(backend="openvino", threads=1)
    assert "computed in f32" in Predictor(model, settings).backend.description
    half = replace(settings, processor_precision="bfloat16")
    assert "computed in f32" not in Predictor(model, half).backend.description


WITHOUT_TORCH = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "openvino"):
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Absent())
import numpy as np
from pathlib import Path
from cups_core.errors import CupsError
from cups_core.runtime.letterbox import Letterbox, fill
from cups_core.runtime.predictor import Predictor
from cups_core.runtime.semantic_winners import winners
model = Path(sys.argv[1])
predictor = Predictor(model, tell=lambda words: None)
print(predictor.backend.name, len(predictor.predict(np.zeros((64, 128, 3), np.uint8)).table))
try:
    Predictor(model.with_name("weights.ckpt"))
except CupsError as error:
    print(error)
"""


def test_the_predictor_works_where_pytorch_is_missing(tmp_path: Path, repository: Path) -> None:
    model = write_cascade(tmp_path)
    (tmp_path / "weights.ckpt").write_bytes(b"PK")
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, str(model)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    first, second = found.stdout.splitlines()
    assert first.startswith("onnxruntime ")
    assert "No module named torch: pip install 'cups-ros[networks]'" in second
