"""Runs a panoptic network itself from a file of weights, where no exported model is at hand.

`cups_core.runtime.weights` opens it by name, since the runtime imports no PyTorch; it is a
`cups_core.runtime.backend.Backend`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
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
from cups_core.network.student.student_checkpoints import load_student, plan_of
from cups_core.network.student.student_graph import StudentGraph
from cups_core.network.weight_kinds import ONE_STAGE as ONE_STAGE_PART
from cups_core.network.weight_kinds import recognised
from cups_core.panoptic_combination import CombinationSettings
from cups_core.runtime.backend import BackendFailed, Outputs, RuntimeSettings
from cups_core.runtime.sidecar import (
    CASCADE,
    ONE_STAGE,
    OUTPUTS,
    ModelClass,
    ModelInput,
    ModelSidecar,
)
from cups_core.settings import make_settings

# What CUPS validates with while it trains; the networks themselves take any size.
WIDTH, HEIGHT = 1024, 512
MIB = 1 << 20


def sidecar_of_weights(path: Path) -> ModelSidecar:
    """What a file of weights says of itself: so many things and stuffs, without names.

    Raises:
        CheckpointError: it is missing, damaged, something else, or would run code.
    """
    checkpoint = read_checkpoint(path)
    parts = recognised(checkpoint).parts
    if ONE_STAGE_PART in parts:
        kind, (_, things, stuffs) = ONE_STAGE, plan_of(parts[ONE_STAGE_PART])
    else:
        kind, (things, stuffs) = CASCADE, classes_of(panoptic_part(checkpoint))
    names = [(f"stuff_{k}", False) for k in range(stuffs)]
    names += [(f"thing_{k}", True) for k in range(things)]
    mean, deviation = (
        (255 * values[0], 255 * values[1], 255 * values[2]) for values in (MEAN, DEVIATION)
    )
    return ModelSidecar(
        kind=kind,
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
    """The network of a file of weights.

    Raises:
        CheckpointError: the file is damaged, another network, or has other classes than its
            sidecar says.
    """
    classes = (len(sidecar.things), len(sidecar.stuffs))
    if sidecar.kind == ONE_STAGE:
        return TorchBackend(StudentGraph(load_student(model, classes)), sidecar, settings)
    thresholds = make_settings(CombinationSettings, sidecar.thresholds)
    network = _CascadeRows(load_panoptic(model, classes=classes), thresholds.least_score)
    return TorchBackend(network, sidecar, settings)


class TorchBackend:
    """A network that answers as its exported graph does.

    Args:
        network: takes a normalised image, gives what the graph does in the same order.
        sidecar: names of the outputs.
        settings: threads and number type on a processor; a GPU is taken where there is one.
    """

    name = "torch"

    def __init__(
        self, network: nn.Module, sidecar: ModelSidecar, settings: RuntimeSettings
    ) -> None:
        if settings.threads:
            torch.set_num_threads(settings.threads)  # of the whole process: PyTorch has no other
        precision = "float32" if torch.cuda.is_available() else settings.processor_precision
        self._compute = Compute(ComputeSettings(precision=precision))
        device = self._compute.device
        if self._compute.is_gpu and settings.gpu_memory_mib:
            total = torch.cuda.get_device_properties(device).total_memory
            share = min(settings.gpu_memory_mib * MIB / total, 1.0)
            torch.cuda.set_per_process_memory_fraction(share, torch.cuda.current_device())
        self._network = network.to(device, memory_format=torch.channels_last).eval()
        self._outputs = OUTPUTS[sidecar.kind]
        place = torch.cuda.get_device_name(device) if self._compute.is_gpu else "processor"
        threads = "" if self._compute.is_gpu else f", {torch.get_num_threads()} threads"
        self.description = f"PyTorch {torch.__version__} on {place}, {precision}{threads}"

    def run(self, image: NDArray[np.float32]) -> Outputs:
        """See `Backend.run`."""
        try:
            with self._compute.running():
                tensor = torch.from_numpy(image).to(self._compute.device)
                found = self._network(tensor.contiguous(memory_format=torch.channels_last))
                return {
                    name: _array(values) for name, values in zip(self._outputs, found, strict=True)
                }
        except RuntimeError as problem:  # running out of memory is one
            raise BackendFailed(f"{self.description}: {problem}") from problem

    def close(self) -> None:
        """See `Backend.close`."""
        del self._network
        if self._compute.is_gpu:
            torch.cuda.empty_cache()


class _CascadeRows(nn.Module):
    """The eager cascade with as many rows as its exported graph gives; the unused ones are zero."""

    def __init__(self, network: PanopticCascade, least_score: float) -> None:
        super().__init__()
        self._network, self._least_score = network, least_score

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        network = self._network
        sizes = [(int(image.shape[2]), int(image.shape[3]))]
        features = network.backbone(image)
        proposals = propose(network.proposal_generator(features), sizes, INFERENCE)
        found = network.roi_heads.detect(
            features, [item.boxes for item in proposals], sizes, self._least_score
        )
        masks = network.roi_heads.masks(features, found)
        rows = (found[0].boxes, found[0].scores, found[0].classes.int(), masks[0])
        return (*map(_padded, rows), network.sem_seg_head.coarse(features))


def _padded(rows: Tensor) -> Tensor:
    return functional.pad(rows, [0, 0] * (rows.ndim - 1) + [0, DETECTIONS - len(rows)])


def _array(values: Tensor) -> NDArray[np.generic]:
    exact = values.float() if values.is_floating_point() else values
    return np.asarray(exact.cpu().numpy())
