"""A camera image in, a panoptic map out: the one way in which an exported network is used.

The vehicle node and `cups predict` call it; resizing, padding, backend and naming are inside.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cups_core.panoptic import PanopticMap
from cups_core.runtime.backend import RuntimeSettings
from cups_core.runtime.backend_choice import ChosenBackend, Tell
from cups_core.runtime.class_names import read_class_names, with_classes
from cups_core.runtime.decoding import decoded_order, decoder
from cups_core.runtime.letterbox import Letterbox, check_image, fill
from cups_core.runtime.sidecar import ModelClass
from cups_core.runtime.weights import describe

LOGGER = logging.getLogger(__name__)
WARM_UP_FRAMES = 3


@dataclass(frozen=True)
class WarmUp:
    """How long a model takes; for diagnostics.

    Attributes:
        first_ms: the first image, with whatever is made on first use.
        steady_ms: the median of the images after it.
        frames: number of images after the first.
    """

    first_ms: float
    steady_ms: float
    frames: int


class Predictor:
    """A network that is ready for images.

    Args:
        model: an .onnx file with its sidecar beside it, or weights for PyTorch.
        settings: where and how it runs.
        class_names: a YAML file that overrides the sidecar's names; None = those of the sidecar.
        tell: says which backends were passed over and why, and which one runs.

    Raises:
        ModelError: a file is missing, damaged, or model and sidecar contradict each other.
        BackendUnavailable: no backend runs it; the message has each one's reason.
    """

    def __init__(
        self,
        model: Path,
        settings: RuntimeSettings | None = None,
        class_names: Path | None = None,
        tell: Tell = LOGGER.warning,
    ) -> None:
        self.sidecar = describe(model)
        named = self.sidecar.classes
        if class_names is not None:
            named = read_class_names(class_names, named)
        self.classes: tuple[ModelClass, ...] = named
        self._ordered = decoded_order(self.sidecar.kind, named)
        self._decode = decoder(self.sidecar)
        self.backend = ChosenBackend(model, self.sidecar, settings or RuntimeSettings(), tell)
        place = self.sidecar.input
        self._tensor = np.zeros((1, 3, place.height, place.width), np.float32)

    def predict(self, image: NDArray[np.uint8]) -> PanopticMap:
        """What is in an image of any size.

        Args:
            image: uint8 (H, W, 3), RGB.

        Returns:
            A map of the image's size; things by score, then stuff by class.

        Raises:
            InputError: the image has another type or shape.
            BackendUnavailable: the last backend failed.
        """
        check_image(image)
        height, width = image.shape[:2]
        place = self.sidecar.input
        letterbox = Letterbox.of(width, height, place)
        fill(image, letterbox, place, self._tensor)
        outputs = self.backend.run(self._tensor)
        return with_classes(self._decode(outputs, letterbox), self._ordered)

    def warm_up(self, width: int | None = None, height: int | None = None) -> WarmUp:
        """Run images of noise, so that everything is loaded, compiled and allocated.

        Args:
            width, height: of the images that will come; None = those of the model's input.
        """
        shape = (height or self.sidecar.input.height, width or self.sidecar.input.width, 3)
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        times_ms = []
        for _ in range(1 + WARM_UP_FRAMES):
            start_ns = time.perf_counter_ns()
            self.predict(image)
            times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        return WarmUp(times_ms[0], float(np.median(times_ms[1:])), WARM_UP_FRAMES)

    def close(self) -> None:
        """Give memory and threads back."""
        self.backend.close()
