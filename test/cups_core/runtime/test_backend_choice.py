"""The first backend that works runs the model; a failing one hands over, and it is always said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.errors import ModelError
from cups_core.runtime import backend_choice
from cups_core.runtime.backend import (
    BackendFailed,
    BackendUnavailable,
    Outputs,
    RuntimeSettings,
)
from cups_core.runtime.backend_choice import CANDIDATES, Candidate
from cups_core.runtime.predictor import Predictor
from cups_core.runtime.sidecar import ModelSidecar
from cups_core.settings import settings_of

from .small_graphs import HEIGHT, WIDTH, detections, write_cascade

IMAGE = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


class SmallDevice:
    """A device whose memory is full after some images, or that answers with NaN."""

    name = "small"
    description = "a small device"
    closed = 0

    def __init__(self, model: Path, images: int, answer: float | None) -> None:
        self.images, self.answer, self.model = images, answer, model

    def run(self, image: NDArray[np.float32]) -> Outputs:
        self.images -= 1
        if self.images < 0 and self.answer is None:
            raise BackendFailed("out of memory: 3 GiB asked for, 1 GiB left")
        outputs = {name: np.array(values) for name, values in detections().items()}
        outputs["semantic"] = np.zeros((1, 4, HEIGHT // 4, WIDTH // 4), np.float32)
        if self.images < 0 and self.answer is not None:
            outputs["semantic"][0, 0, 0, 0] = self.answer
        return outputs

    def close(self) -> None:
        SmallDevice.closed += 1


def open_full(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> SmallDevice:
    return SmallDevice(model, 2, None)


def open_wrong(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> SmallDevice:
    return SmallDevice(model, 0, np.nan)


def first(opener: str) -> tuple[Candidate, ...]:
    return (Candidate("small", "Small device", __name__, opener), *CANDIDATES)


def test_auto_says_what_it_passed_over_and_what_it_took(tmp_path: Path) -> None:
    said: list[str] = []
    predictor = Predictor(write_cascade(tmp_path), tell=said.append)
    *passed, taken = said
    assert taken.startswith("small.onnx runs on ONNX Runtime ")
    assert predictor.backend.passed_over == tuple(passed)
    if predictor.backend.description.endswith("threads"):  # no GPU here
        titles = [candidate.title for candidate in CANDIDATES]
        before = titles[: titles.index("ONNX Runtime on the processor")]
        assert [words.split(" passed over: ")[0] for words in passed] == before


def test_the_order_is_tensorrt_onnxruntime_openvino_torch() -> None:
    order = list(dict.fromkeys(candidate.backend for candidate in CANDIDATES))
    (choices,) = (item.choices for item in settings_of(RuntimeSettings) if item.name == "backend")
    assert order == [name for name in choices if name in order]
    assert order[-3:] == ["onnxruntime", "openvino", "torch"]


@pytest.mark.parametrize(
    ("opener", "images", "words"),
    [("open_full", 2, "out of memory: 3 GiB"), ("open_wrong", 0, "output semantic holds NaN")],
)
def test_a_backend_that_fails_hands_over_aloud_and_no_image_is_lost(
    opener: str, images: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_cascade(tmp_path)
    expected = Predictor(model).predict(IMAGE)
    monkeypatch.setattr(backend_choice, "CANDIDATES", first(opener))
    said: list[str] = []
    predictor = Predictor(model, tell=said.append)
    assert said == ["small.onnx runs on a small device"]
    before = SmallDevice.closed
    for _ in range(images):
        predictor.predict(IMAGE)
    found = predictor.predict(IMAGE)
    assert predictor.backend.name == "onnxruntime"
    assert said[1].startswith("Small device failed: ")
    assert words in said[1]
    assert SmallDevice.closed == before + 1
    np.testing.assert_array_equal(found.segments, expected.segments)


def test_the_last_failure_lists_every_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend_choice, "CANDIDATES", first("open_wrong")[:1])
    predictor = Predictor(write_cascade(tmp_path))
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match=r"no backend runs it.*Small device failed"):
            predictor.predict(IMAGE)
    predictor.close()


def test_a_backend_that_is_asked_for_is_not_replaced(tmp_path: Path) -> None:
    model = write_cascade(tmp_path)
    with pytest.raises(BackendUnavailable, match="torch does not run graphs"):
        Predictor(model, RuntimeSettings(backend="torch"))
    weights = tmp_path / "small.safetensors"
    weights.write_bytes(model.read_bytes())
    with pytest.raises(BackendUnavailable, match="openvino does not run weights: only torch"):
        Predictor(weights, RuntimeSettings(backend="openvino"))


def test_a_graph_that_contradicts_its_sidecar_is_tried_on_no_other_backend(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    with pytest.raises(ModelError):
        Predictor(write_cascade(tmp_path, channels=5), tell=said.append)
    assert not [words for words in said if "OpenVINO" in words]


def test_a_cuda_provider_without_a_gpu_is_not_taken_in_silence(tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    providers = runtime.get_available_providers()
    said: list[str] = []
    predictor = Predictor(
        write_cascade(tmp_path), RuntimeSettings(backend="onnxruntime"), tell=said.append
    )
    if "CUDAExecutionProvider" in providers and "CUDA" in predictor.backend.description:
        pytest.skip("a GPU runs it")
    (words,) = [text for text in said if text.startswith("ONNX Runtime with CUDA passed over")]
    asked = "CUDA was asked for and does not start" if len(providers) > 2 else "has no CUDA"
    assert asked in words
