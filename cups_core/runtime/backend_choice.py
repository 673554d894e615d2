"""Which backend runs a model: the first that works, and the next one when it fails.

The predictor runs every image through it. Why a backend was passed over is always told.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from cups_core.runtime.backend import (
    Backend,
    BackendFailed,
    BackendUnavailable,
    OpenBackend,
    Outputs,
    RuntimeSettings,
)
from cups_core.runtime.graph_check import check_numbers
from cups_core.runtime.sidecar import ModelSidecar
from cups_core.runtime.weights import is_weights

Tell = Callable[[str], None]
AUTO, NONE = "auto", "none"


@dataclass(frozen=True)
class Candidate:
    """A way to run a model.

    Attributes:
        backend: what the setting calls it; several candidates may share it.
        title: for people.
        module: where its opener is; imported when its turn comes, so that nobody needs them all.
        opener: an `OpenBackend` of that module.
        takes_weights: it runs files of weights, else exported graphs.
    """

    backend: str
    title: str
    module: str
    opener: str
    takes_weights: bool = False

    def open(self, model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> Backend:
        """The backend; raises as `OpenBackend` does."""
        opener = cast("OpenBackend", getattr(importlib.import_module(self.module), self.opener))
        return opener(model, sidecar, settings)


RUNTIME = "cups_core.runtime"
CANDIDATES = (
    Candidate("tensorrt", "TensorRT", f"{RUNTIME}.tensorrt_backend", "open_on_gpu"),
    Candidate(
        "onnxruntime",
        "ONNX Runtime with TensorRT",
        f"{RUNTIME}.onnxruntime_backend",
        "open_on_tensorrt",
    ),
    Candidate(
        "onnxruntime",
        "ONNX Runtime with CUDA",
        f"{RUNTIME}.onnxruntime_backend",
        "open_on_cuda",
    ),
    Candidate(
        "onnxruntime",
        "ONNX Runtime on the processor",
        f"{RUNTIME}.onnxruntime_backend",
        "open_on_processor",
    ),
    Candidate("openvino", "OpenVINO", f"{RUNTIME}.openvino_backend", "open_on_processor"),
    Candidate("torch", "PyTorch", f"{RUNTIME}.weights", "open_torch", takes_weights=True),
)
"""In the order in which they are tried."""


class ChosenBackend:
    """The backend that runs, and those that take over when it fails.

    Args:
        model: the file, checked against its sidecar.
        sidecar: what the file is.
        settings: the backend that is asked for.
        tell: says what was passed over, and what runs.

    Raises:
        BackendUnavailable: none works; the message has each one's reason.
        ModelError: the graph contradicts its sidecar.
    """

    def __init__(
        self, model: Path, sidecar: ModelSidecar, settings: RuntimeSettings, tell: Tell
    ) -> None:
        self._model, self._sidecar, self._settings, self._tell = model, sidecar, settings, tell
        weights = is_weights(model)
        self._left = [
            candidate
            for candidate in CANDIDATES
            if settings.backend in (AUTO, candidate.backend) and candidate.takes_weights == weights
        ]
        if not self._left:
            raise BackendUnavailable(
                f"{model}: {settings.backend} does not run "
                f"{'weights: only torch does' if weights else 'graphs: give it the weights'}, or "
                "choose the backend auto"
            )
        self._reasons: list[str] = []
        self._title = ""
        self._running: Backend | None = None
        self._opened()

    @property
    def name(self) -> str:
        """Of the backend that runs now."""
        return self._running.name if self._running else NONE

    @property
    def description(self) -> str:
        """What the model really runs on now."""
        return self._running.description if self._running else NONE

    @property
    def passed_over(self) -> tuple[str, ...]:
        """Each backend that did not work or failed, with the reason."""
        return tuple(self._reasons)

    def run(self, image: NDArray[np.float32]) -> Outputs:
        """The outputs of the first backend that gives some, checked.

        Args:
            image: float32 (1, 3, H, W), as `Backend.run` takes it.

        Raises:
            BackendUnavailable: the last backend failed; the message has each one's reason.
            ModelError: the model finds classes that its sidecar does not know.
        """
        while True:
            try:
                outputs = self._opened().run(image)
                check_numbers(self._sidecar, outputs)
                return outputs
            except BackendFailed as problem:
                self._pass_over(f"{self._title} failed: {problem}")
                self.close()

    def close(self) -> None:
        """Give memory and threads back."""
        if self._running:
            self._running.close()
        self._running = None

    def _opened(self) -> Backend:
        """The backend that runs, or the next one that works."""
        while not self._running:
            if not self._left:
                raise BackendUnavailable(
                    f"{self._model}: no backend runs it. {'; '.join(self._reasons)}"
                )
            candidate = self._left.pop(0)
            self._title = candidate.title
            try:
                self._running = candidate.open(self._model, self._sidecar, self._settings)
            except BackendUnavailable as problem:
                self._pass_over(f"{candidate.title} passed over: {problem}")
            else:
                self._tell(f"{self._model.name} runs on {self._running.description}")
        return self._running

    def _pass_over(self, reason: str) -> None:
        self._reasons.append(reason)
        self._tell(reason)
