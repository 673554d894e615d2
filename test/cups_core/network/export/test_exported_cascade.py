"""The cascade of the golden weights, exported: all runtimes say what the eager network says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from benchmark.golden_network import golden_network  # noqa: E402
from cups_core.errors import InputError, ModelError  # noqa: E402
from cups_core.network.cascade.panoptic_cascade import PanopticCascade  # noqa: E402
from cups_core.network.export.agreement import matches  # noqa: E402
from cups_core.network.export.checkpoint_export import cascade_maker, export_checkpoint  # noqa: E402
from cups_core.network.export.comparison import compare, tensor_of  # noqa: E402
from cups_core.network.export.conformance import violations  # noqa: E402
from cups_core.network.export.onnx_graph import onnx_graph  # noqa: E402
from cups_core.network.export.quantisation import quantised  # noqa: E402
from cups_core.network.export.settings import PROCESSOR, TENSORRT, ExportSettings  # noqa: E402
from cups_core.network.panoptic_checkpoints import save_safetensors  # noqa: E402
from cups_core.network.torch_backend import open_torch  # noqa: E402
from cups_core.runtime import onnxruntime_backend  # noqa: E402
from cups_core.runtime.backend import Outputs, RuntimeSettings  # noqa: E402
from cups_core.runtime.predictor import Predictor  # noqa: E402
from cups_core.runtime.sidecar import OUTPUTS, ModelSidecar, read_sidecar, sidecar_path  # noqa: E402

# The eager network looks at 1000 regions; the same number makes the two equal.
SETTINGS = ExportSettings(height=96, width=160, proposals=1000)
SIZE = (SETTINGS.height, SETTINGS.width)
THREADS = RuntimeSettings(threads=1)
LEAST_SCORE = 0.5


@pytest.fixture(scope="module")
def network(repository: Path) -> PanopticCascade:
    return golden_network(repository / "test/data/goldens/network")


@pytest.fixture(scope="module")
def image(repository: Path) -> NDArray[np.uint8]:
    picture = cv2.imread(str(repository / "test/data/goldens/network/image_a.png"))
    return np.ascontiguousarray(cv2.resize(picture, SIZE[::-1])[..., ::-1])


@pytest.fixture(scope="module")
def model(network: PanopticCascade, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    save_safetensors(network, folder / "weights.safetensors", {})
    path = folder / "model.onnx"
    assert export_checkpoint(folder / "weights.safetensors", path, SETTINGS) is None
    return path


@pytest.fixture(scope="module")
def sidecar(model: Path) -> ModelSidecar:
    return read_sidecar(sidecar_path(model))


@pytest.fixture(scope="module")
def eager(model: Path, sidecar: ModelSidecar, image: NDArray[np.uint8]) -> Outputs:
    backend = open_torch(model.parent / "weights.safetensors", sidecar, THREADS)
    return dict(backend.run(tensor_of(image, sidecar.input)))


@pytest.fixture(scope="module")
def exported(model: Path, sidecar: ModelSidecar, image: NDArray[np.uint8]) -> Outputs:
    backend = onnxruntime_backend.open_on_processor(model, sidecar, THREADS)
    return dict(backend.run(tensor_of(image, sidecar.input)))


def detections(outputs: Outputs) -> Outputs:
    chosen = outputs["scores"] > LEAST_SCORE
    return {name: outputs[name][chosen] for name in ("boxes", "scores", "labels", "masks")}


def check_same(first: Outputs, second: Outputs, box_px: float, share: float) -> None:
    """The same detections as sets, the same masks, the same logits."""
    one, other = detections(first), detections(second)
    assert len(one["boxes"]) == len(other["boxes"]) == matches(one, other)
    far = np.abs(one["boxes"][:, None] - other["boxes"][None]).max(2)
    far[one["labels"][:, None] != other["labels"][None]] = np.inf
    nearest = far.argmin(1)
    assert len(set(nearest)) == len(nearest)
    assert far.min(1).max() < box_px
    assert np.abs(one["scores"] - other["scores"][nearest]).max() < share
    assert np.abs(one["masks"] - other["masks"][nearest]).max() < share
    assert np.abs(first["semantic"] - second["semantic"]).max() < share


def test_the_static_network_finds_what_the_eager_one_finds(
    network: PanopticCascade, eager: Outputs, image: NDArray[np.uint8], sidecar: ModelSidecar
) -> None:
    with torch.inference_mode():
        found = cascade_maker(network, SETTINGS)(False)(
            torch.from_numpy(tensor_of(image, sidecar.input))
        )
    assert len(detections(eager)["boxes"]) > 5
    check_same(eager, {k: v.numpy() for k, v in found._asdict().items()}, 1e-2, 2e-3)


def test_onnx_runtime_finds_what_the_eager_network_finds(
    eager: Outputs, exported: Outputs, image: NDArray[np.uint8], sidecar: ModelSidecar
) -> None:
    check_same(eager, exported, 2e-2, 3e-3)
    found = compare([eager], [exported], sidecar, [image])
    assert found.semantic > 0.999
    assert found.detections == 1
    assert found.panoptic_quality > 0.99


def test_openvino_finds_what_onnx_runtime_finds(
    model: Path, sidecar: ModelSidecar, exported: Outputs, image: NDArray[np.uint8]
) -> None:
    pytest.importorskip("openvino")
    from cups_core.runtime.openvino_backend import open_on_processor

    found = open_on_processor(model, sidecar, THREADS).run(tensor_of(image, sidecar.input))
    check_same(exported, found, 2e-2, 3e-3)


def test_the_graph_has_only_what_all_runtimes_share(model: Path) -> None:
    graph = onnx.load(model)
    assert violations(graph) == []
    used = {node.op_type for node in graph.graph.node}
    assert {"Conv", "RoiAlign", "TopK"} <= used
    assert not used & {"NonMaxSuppression", "NonZero", "Loop", "If", "BatchNormalization"}


def test_a_predictor_takes_the_model_as_it_is(model: Path, image: NDArray[np.uint8]) -> None:
    settings = RuntimeSettings(backend="onnxruntime", threads=1)
    predictor = Predictor(model, settings)
    found = predictor.predict(image)
    predictor.close()
    assert found.segments.shape == SIZE
    assert any(item.is_thing for item in found.table)


def test_the_sidecar_says_where_the_weights_come_from(model: Path, sidecar: ModelSidecar) -> None:
    assert sidecar.precision == "fp32"
    assert sidecar.training["checkpoint"] == "weights.safetensors"
    assert sidecar.training["export"]["proposals"] == SETTINGS.proposals
    assert (len(sidecar.things), len(sidecar.stuffs)) == (5, 22)


def test_in_16_bits_boxes_and_probabilities_stay_in_32(
    network: PanopticCascade, image: NDArray[np.uint8], sidecar: ModelSidecar, eager: Outputs
) -> None:
    half = cascade_maker(network, SETTINGS)(True)
    graph = onnx_graph(half, SIZE, OUTPUTS["cascade"])
    assert violations(graph) == []
    inferred = onnx.shape_inference.infer_shapes(graph).graph
    kinds = {item.name: item.type.tensor_type.elem_type for item in inferred.value_info}
    for node in inferred.node:
        kind = kinds.get(node.output[0])
        if node.op_type in ("Conv", "Gemm"):
            assert kind == onnx.TensorProto.FLOAT16
        elif node.op_type in ("RoiAlign", "Softmax", "Exp", "Sigmoid"):
            assert kind in (onnx.TensorProto.FLOAT, None)
    with torch.inference_mode():
        found = half(torch.from_numpy(tensor_of(image, sidecar.input)))
    assert found.boxes.dtype == found.scores.dtype == found.semantic.dtype == torch.float32
    same = found.semantic.numpy().argmax(1) == eager["semantic"].argmax(1)
    assert same.mean() > 0.97


@pytest.mark.parametrize("target", [PROCESSOR, TENSORRT])
def test_in_8_bits_it_is_fit_for_its_target(
    model: Path, sidecar: ModelSidecar, image: NDArray[np.uint8], target: str
) -> None:
    graph = quantised(onnx.load(model), [tensor_of(image, sidecar.input)], target)
    assert violations(graph, target) == []
    used = [node.op_type for node in graph.graph.node]
    assert used.count("QuantizeLinear") > 50
    if target == PROCESSOR:
        assert any("zero point" in line for line in violations(graph, TENSORRT))


def test_8_bits_without_images_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--calibrate"):
        export_checkpoint(
            model.parent / "weights.safetensors",
            tmp_path / "model.onnx",
            ExportSettings(height=96, width=160, precision="int8"),
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "height", "error", "said"),
    [
        ("model.onnx", 100, InputError, "96x160"),
        ("model.engine", 96, ModelError, "ends with .onnx"),
    ],
)
def test_what_does_not_fit_is_refused(
    model: Path, tmp_path: Path, name: str, height: int, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        export_checkpoint(
            model.parent / "weights.safetensors",
            tmp_path / name,
            ExportSettings(height=height, width=160),
        )
