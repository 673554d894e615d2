"""Runs the panoptic cascade itself from a file of weights, where no exported model is at hand.

`cups_core.runtime.backend_choice` opens it by name, since the runtime imports no PyTorch; it is a
`cups_core.runtime.backend.Backend`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cups_core.drawing import color_of
from cups_core.network.cascade.cascade_head import DETECTIONS
from cups_core.network.cascade.image_batch import DEVIATION, MEAN
from cups_core.network.cascade.panoptic_cascade import PanopticCascade
from cups_core.network.cascade.region_proposals import INFERENCE, propose
from cups_core.network.checkpoint_files import read_checkpoint
from cups_core.network.compute import Compute
from cups_core.network.panoptic_checkpoints import classes_of, load_panoptic, panoptic_part
from cups_core.network.settings import ComputeSettings
from cups_core.panoptic_combination import CombinationSettings
from cups_core.runtime.backend import BackendFailed, BackendUnavailable, Outputs, RuntimeSettings
from cups_core.runtime.sidecar import CASCADE, ModelClass, ModelInput, ModelSidecar
from cups_core.settings import make_settings

# What CUPS validates with while it trains; the network itself takes any size.
WIDTH, HEIGHT = 1024, 512


def sidecar_of_weights(path: Path) -> ModelSidecar:
    """What a file of weights says of itself: so many things and stuffs, without names.

    Raises:
        CheckpointError: it is missing, damaged, something else, or would run code.
    """
    checkpoint = read_checkpoint(path)
    things, stuffs = classes_of(panoptic_part(checkpoint))
    names = [(f"stuff_{k}", False) for k in range(stuffs)]
    names += [(f"thing_{k}", True) for k in range(things)]
    mean, deviation = (
        (255 * values[0], 255 * values[1], 255 * values[2]) for values in (MEAN, DEVIATION)
    )
    return ModelSidecar(
        kind=CASCADE,
        input=ModelInput("image", WIDTH, HEIGHT, mean, deviation),
        classes=tuple(
            ModelClass(number, name, is_thing, color_of(number))
            for number, (name, is_thing) in enumerate(names)
        ),
        thresholds={},
        precision="fp32",
        sha256=checkpoint.sha256,
        training={"checkpoint": path.name},
    )


def open_torch(model: Path, sidecar: ModelSidecar, settings: RuntimeSettings) -> TorchBackend:
    """The cascade of a file of weights.

    Raises:
        BackendUnavailable: the network is another one.
        CheckpointError: the file is damaged, or has other classes than its sidecar says.
    """
    if sidecar.kind != CASCADE:
        raise BackendUnavailable(f"PyTorch runs the weights of a {CASCADE}, not a {sidecar.kind}")
    network = load_panoptic(model, classes=(len(sidecar.things), len(sidecar.stuffs)))
    return TorchBackend(network, sidecar, settings)


class TorchBackend:
    """A cascade that answers as its exported graph does.

    Args:
        network: in evaluation mode.
        sidecar: input and thresholds.
        settings: threads and number type on a processor; a GPU is taken where there is one.
    """

    name = "torch"

    def __init__(
        self, network: PanopticCascade, sidecar: ModelSidecar, settings: RuntimeSettings
    ) -> None:
        if settings.threads:
            torch.set_num_threads(settings.threads)  # of the whole process: PyTorch has no other
        precision = "float32" if torch.cuda.is_available() else settings.processor_precision
        self._compute = Compute(ComputeSettings(precision=precision))
        self._network = network.to(self._compute.device, memory_format=torch.channels_last).eval()
        self._input = sidecar.input.name
        self._least_score = make_settings(CombinationSettings, sidecar.thresholds).least_score
        device = self._compute.device
        place = torch.cuda.get_device_name(device) if self._compute.is_gpu else "processor"
        threads = "" if self._compute.is_gpu else f", {torch.get_num_threads()} threads"
        self.description = f"PyTorch {torch.__version__} on {place}, {precision}{threads}"

    def run(self, image: NDArray[np.float32]) -> Outputs:
        """See `Backend.run`."""
        try:
            with self._compute.running():
                return self._outputs(torch.from_numpy(image).to(self._compute.device))
        except RuntimeError as problem:  # running out of memory is one
            raise BackendFailed(f"{self.description}: {problem}") from problem

    def close(self) -> None:
        """See `Backend.close`."""
        del self._network
        if self._compute.is_gpu:
            torch.cuda.empty_cache()

    def _outputs(self, image: Tensor) -> Outputs:
        network = self._network
        sizes = [(int(image.shape[2]), int(image.shape[3]))]
        features = network.backbone(image.contiguous(memory_format=torch.channels_last))
        proposals = propose(network.proposal_generator(features), sizes, INFERENCE)
        found = network.roi_heads.detect(
            features, [item.boxes for item in proposals], sizes, self._least_score
        )
        (masks,) = network.roi_heads.masks(features, found)
        return {
            "boxes": _rows(found[0].boxes),
            "scores": _rows(found[0].scores),
            "labels": _rows(found[0].classes).astype(np.int32),
            "masks": _rows(masks),
            "semantic": network.sem_seg_head.coarse(features).float().cpu().numpy(),
        }


def _rows(found: Tensor) -> NDArray[np.float32]:
    """As many rows as an exported graph gives; those without a detection are zero."""
    missing = DETECTIONS - len(found)
    padding = [0, 0] * (found.ndim - 1) + [0, missing]
    return np.asarray(functional.pad(found.float(), padding).cpu().numpy())
