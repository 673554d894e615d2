"""The student: its backbones, what it exports, its targets and its losses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from benchmark.student_scenes import (  # noqa: E402
    SMALL_SEGMENT,
    STUFFS,
    THINGS,
    picture,
    truth_of,
)
from cups_core.centre_grouping import (  # noqa: E402
    STRIDE,
    CentreVotes,
    GroupingSettings,
    group,
)
from cups_core.errors import InputError  # noqa: E402
from cups_core.network.cascade.image_batch import ImageBatch  # noqa: E402
from cups_core.network.student.panoptic_student import (  # noqa: E402
    BACKBONES,
    PanopticStudent,
    StudentOutputs,
)
from cups_core.network.student.settings import StudentLossSettings  # noqa: E402
from cups_core.network.student.student_graph import (  # noqa: E402
    CENTRES,
    StudentGraph,
    best_centres,
)
from cups_core.network.student.student_loss import hard_pixel_loss, student_losses  # noqa: E402
from cups_core.network.student.student_targets import IGNORED, StudentTargets  # noqa: E402

SETTINGS = StudentLossSettings()
SIZE = (128, 256)
OUTPUTS = ("semantic", "centres", "offsets")
# What ONNX Runtime, OpenVINO and TensorRT's parser share, as far as the student needs it.
SHARED_OPERATORS = {
    "Add",
    "Clip",
    "Concat",
    "Conv",
    "Equal",
    "Gather",
    "HardSigmoid",
    "HardSwish",
    "MaxPool",
    "Mul",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Resize",
    "TopK",
    "Unsqueeze",
    "Where",
}


@pytest.mark.parametrize(
    # Parameters that torchvision documents, without those of the classifier.
    ("backbone", "of_backbone", "least", "most"),
    [
        ("mobilenet_v3_large", 5_483_032 - 2_511_080, 3.2e6, 3.5e6),
        ("resnet18", 11_689_512 - 513_000, 11.3e6, 11.7e6),
    ],
)
def test_the_networks_have_their_published_size(
    backbone: str, of_backbone: int, least: float, most: float
) -> None:
    with torch.device("meta"):
        student = PanopticStudent(backbone, THINGS, STUFFS)
    assert sum(tensor.numel() for tensor in student.backbone.parameters()) == of_backbone
    assert least < sum(tensor.numel() for tensor in student.parameters()) < most


@pytest.mark.parametrize("backbone", BACKBONES)
def test_outputs_are_a_quarter_of_the_image(backbone: str) -> None:
    student = PanopticStudent(backbone, THINGS, STUFFS).eval()
    with torch.inference_mode():
        found = student(torch.zeros(2, 3, 64, 96))
    assert found.semantic.shape == (2, THINGS + STUFFS, 16, 24)
    assert found.heat.shape == (2, 1, 16, 24)
    assert found.offsets.shape == (2, 2, 16, 24)


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(InputError, match="mobilenet_v3_large, resnet18, found 'vgg'"):
        PanopticStudent("vgg", THINGS, STUFFS)


def test_centres_are_local_maxima_best_first() -> None:
    heat = torch.zeros(1, 1, 20, 30)
    heat[0, 0, 5, 7], heat[0, 0, 5, 8], heat[0, 0, 12, 20] = 0.9, 0.8, 1.5
    heat[0, 0, 2, 2] = -3.0
    found = best_centres(heat)
    assert found.shape == (CENTRES, 3)
    expected = torch.tensor([[82.0, 50.0, 1.0], [30.0, 22.0, 0.9]])
    torch.testing.assert_close(found[:2], expected)
    assert (found[2:, 2] == 0).all()


def test_layers_in_16_bits_take_and_give_32() -> None:
    torch.manual_seed(1)
    student = PanopticStudent("resnet18", THINGS, STUFFS)
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        exact = StudentGraph(student)(image)
        rounded = StudentGraph(student.bfloat16())(image)
    for name, found, expected in zip(OUTPUTS, rounded, exact, strict=True):
        assert found.dtype == torch.float32, name
        assert found.shape == expected.shape
    torch.testing.assert_close(
        rounded[0], exact[0], atol=0.05 * exact[0].abs().max().item(), rtol=0
    )


def test_perfect_outputs_become_the_truth_again() -> None:
    _, truth = picture(3, SIZE)
    targets = StudentTargets.of([truth], THINGS, STUFFS, truth.segments.shape, SETTINGS)
    classes = targets.classes[0].numpy().astype(np.uint8)
    coarse = targets.classes[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
    semantic = 9.0 * torch.nn.functional.one_hot(coarse, THINGS + STUFFS).permute(0, 3, 1, 2)
    found = group(
        CentreVotes(
            semantic[0].float().numpy(),
            best_centres(targets.heat).numpy(),
            targets.offsets[0].numpy(),
        ),
        classes,
        [False] * STUFFS + [True] * THINGS,
        (1.0, 1.0),
        GroupingSettings(),
    )
    assert len(found.table) == len(truth.table)
    for segment in truth.table:
        inside = truth.segments == segment.id
        number = int(np.bincount(found.segments[inside]).argmax())
        same = found.segments == number
        assert np.count_nonzero(same & inside) / np.count_nonzero(same | inside) > 0.97
        assert found.table[number - 1].class_id == segment.class_id


def test_void_padding_and_crowds_teach_only_what_is_known() -> None:
    segments = np.zeros((16, 24), np.int64)
    segments[:8, :8], segments[8:, :8], segments[:8, 8:16] = 1, 2, 3
    truth = truth_of(segments, {1: 0, 2: STUFFS, 3: STUFFS + 1})
    crowd = truth.table[2].__class__(**{**vars(truth.table[2]), "is_thing": False})
    truth = truth.__class__(truth.segments, (*truth.table[:2], crowd))
    targets = StudentTargets.of([truth], THINGS, STUFFS, (32, 32), SETTINGS)
    assert targets.classes.shape == (1, 32, 32)
    assert (targets.classes[0, :8, 8:16] == STUFFS + 1).all()
    assert (targets.classes[0, 16:] == IGNORED).all()
    assert (targets.classes[0, 8:16, 8:24] == IGNORED).all()
    known = np.zeros((8, 8), bool)
    known[:4, :2] = True
    np.testing.assert_array_equal(targets.is_heat_known[0, 0].numpy(), known)
    inside = np.zeros((8, 8), bool)
    inside[2:4, :2] = True
    np.testing.assert_array_equal(targets.is_thing[0, 0].numpy(), inside)
    # Its centre is (4, 12), that of the cell (2, 10).
    assert targets.offsets[0, :, 2, 0].tolist() == [2.0, 2.0]
    assert targets.heat[0, 0, 2, 0].item() == pytest.approx(np.exp(-8 / 128))


def test_pixels_of_small_things_count_more() -> None:
    _, truth = picture(0, SIZE)
    shape = truth.segments.shape
    settings = StudentLossSettings(small_thing_share=0.04)
    weights = StudentTargets.of([truth], THINGS, STUFFS, shape, settings).weights[0].numpy()
    np.testing.assert_array_equal(weights, np.where(truth.segments == SMALL_SEGMENT, 3.0, 1.0))


def test_maps_with_other_classes_or_sizes_are_refused() -> None:
    _, truth = picture(0, SIZE)
    shape = truth.segments.shape
    with pytest.raises(InputError, match="thing classes 3 to 4, found thing 2"):
        StudentTargets.of([truth], THINGS, STUFFS + 1, shape, SETTINGS)
    with pytest.raises(InputError, match="thing classes 2 to 2, found thing 3"):
        StudentTargets.of([truth], THINGS - 1, STUFFS, shape, SETTINGS)
    with pytest.raises(InputError, match="at most 64x64"):
        StudentTargets.of([truth], THINGS, STUFFS, (64, 64), SETTINGS)


def test_only_the_hardest_known_pixels_are_learned() -> None:
    segments = np.ones((8, 10), np.int64)
    segments[:, 5:] = 0
    truth = truth_of(segments, {1: 0})
    targets = StudentTargets.of([truth], THINGS, STUFFS, (8, 12), SETTINGS)
    logits = torch.zeros(1, THINGS + STUFFS, 2, 3)
    logits[0, 0, :, 0] = 20.0
    every = torch.nn.functional.cross_entropy(
        torch.nn.functional.interpolate(logits, scale_factor=4.0, mode="bilinear"),
        targets.classes,
        ignore_index=IGNORED,
        reduction="none",
    )[0, :, :5]
    hardest = every.flatten().sort(descending=True).values[:8].mean()
    torch.testing.assert_close(hard_pixel_loss(logits, targets, 0.2), hardest)


def test_perfect_heat_and_offsets_lose_nothing_and_void_has_no_gradient() -> None:
    _, truth = picture(1, SIZE)
    targets = StudentTargets.of([truth], THINGS, STUFFS, truth.segments.shape, SETTINGS)
    semantic = torch.zeros(1, THINGS + STUFFS, *targets.heat.shape[2:], requires_grad=True)
    outputs = StudentOutputs(semantic, targets.heat, targets.offsets)
    losses = student_losses(outputs, targets, SETTINGS)
    assert losses["loss_centre"] == losses["loss_offset"] == 0
    void = truth_of(np.zeros_like(truth.segments), {})
    nothing = StudentTargets.of([void], THINGS, STUFFS, void.segments.shape, SETTINGS)
    total = sum(student_losses(outputs, nothing, SETTINGS).values())
    assert total == 0
    total.backward()
    assert (semantic.grad == 0).all()


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_few_steps_decrease_every_loss_and_reach_every_parameter(backbone: str) -> None:
    torch.manual_seed(0)
    student = PanopticStudent(backbone, THINGS, STUFFS).train()
    pictures = [picture(seed, (64, 96)) for seed in (0, 1)]
    batch = ImageBatch.of([image for image, _ in pictures])
    truths = [truth for _, truth in pictures]
    targets = StudentTargets.of(truths, THINGS, STUFFS, (64, 96), SETTINGS)
    optimizer = torch.optim.Adam(student.parameters(), 1e-3)
    history = []
    for _ in range(12):
        losses = student_losses(student(batch.images), targets, SETTINGS)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        for name, parameter in student.named_parameters():
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name
        optimizer.step()
        history.append({name: loss.item() for name, loss in losses.items()})
    for name in history[0]:
        assert history[-1][name] < 0.97 * history[0][name], name


@pytest.fixture(scope="module", params=list(BACKBONES))
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, StudentGraph, torch.Tensor]:
    pytest.importorskip("onnxscript")
    torch.manual_seed(2)
    student = PanopticStudent(request.param, THINGS, STUFFS)
    image = ImageBatch.of([picture(0, SIZE)[0]]).images
    student.train()
    with torch.no_grad():
        # Weights and statistics under which heat and classes differ from place to place.
        for head in (student.semantic_head, student.centre_head, student.offset_head):
            torch.nn.init.normal_(head[-1].weight, std=0.3)
        for _ in range(20):
            student(image)
    graph = StudentGraph(student)
    path = tmp_path_factory.mktemp("exported") / f"{request.param}.onnx"
    program = torch.onnx.export(
        graph,
        (image,),
        dynamo=True,
        opset_version=18,
        input_names=["image"],
        output_names=list(OUTPUTS),
        verbose=False,
    )
    program.save(path)
    return path, graph, image


def assert_same(found: list[np.ndarray], graph: StudentGraph, image: torch.Tensor) -> None:
    with torch.inference_mode():
        semantic, centres, offsets = (output.numpy() for output in graph(image))
    np.testing.assert_allclose(found[0], semantic, atol=2e-3, rtol=1e-3)
    np.testing.assert_allclose(found[2], offsets, atol=2e-2, rtol=1e-3)
    used = centres[:, 2] > 0
    assert np.count_nonzero(used) > 3
    distances = np.hypot(*(found[1][:, None, :2] - centres[used, :2]).transpose(2, 0, 1))
    partners = distances.argmin(0)
    # Of equal scores any may come first: a partner of the same place, wherever it is listed.
    inner = centres[used, 2] > centres[:, 2].min() + 1e-3
    assert (distances.min(0)[inner] == 0).all()
    np.testing.assert_allclose(found[1][partners, 2][inner], centres[used, 2][inner], atol=1e-3)


def test_onnx_runtime_says_the_same(exported: tuple[Path, StudentGraph, torch.Tensor]) -> None:
    runtime = pytest.importorskip("onnxruntime")
    path, graph, image = exported
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert_same(session.run(list(OUTPUTS), {"image": image.numpy()}), graph, image)


def test_openvino_says_the_same(exported: tuple[Path, StudentGraph, torch.Tensor]) -> None:
    openvino = pytest.importorskip("openvino")
    path, graph, image = exported
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    found = compiled({"image": image.numpy()})
    assert_same([found[name] for name in OUTPUTS], graph, image)


def test_the_graph_is_static_and_has_only_shared_operators(
    exported: tuple[Path, StudentGraph, torch.Tensor],
) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(exported[0])
    assert {node.op_type for node in model.graph.node} <= SHARED_OPERATORS
    assert not model.functions
    shapes = {
        output.name: [side.dim_value for side in output.type.tensor_type.shape.dim]
        for output in model.graph.output
    }
    assert shapes == {
        "semantic": [1, THINGS + STUFFS, 32, 64],
        "centres": [CENTRES, 3],
        "offsets": [1, 2, 32, 64],
    }
