"""The device and number type that a network runs with; every network of the package asks here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cups_core.errors import InputError
from cups_core.network.settings import ComputeSettings


class Compute:
    """Settings turned into what PyTorch wants to know.

    Attributes:
        device: where the network's weights belong.

    Raises:
        InputError: a GPU is asked for where there is none.
    """

    def __init__(self, settings: ComputeSettings) -> None:
        available = torch.cuda.is_available()
        if settings.device == "cuda" and not available:
            raise InputError(
                "device: cuda was asked for, PyTorch finds no CUDA device: choose auto or cpu, or "
                "see what `cups doctor` says of PyTorch"
            )
        self.device = torch.device("cuda" if available and settings.device != "cpu" else "cpu")
        self._dtype = self._number_type(settings.precision)

    @property
    def is_gpu(self) -> bool:
        """Whether many small pieces of work should be given at once."""
        return self.device.type == "cuda"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Inside, networks run without gradients and in the chosen number type."""
        half = self._dtype != torch.float32
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, self._dtype if half else None, enabled=half),
        ):
            yield

    def _number_type(self, precision: str) -> torch.dtype:
        if precision != "auto":
            return {
                "float32": torch.float32,
                "bfloat16": torch.bfloat16,
                "float16": torch.float16,
            }[precision]
        if not self.is_gpu:
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
