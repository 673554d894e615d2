"""Tokens of a self-supervised transformer as a map of features per image.

`depthg` puts a head on them; `cups fit-semantics` trains one on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cups_core.errors import CheckpointError, InputError
from cups_core.network.checkpoint_files import Checkpoint, load_weights
from cups_core.network.compute import Compute
from cups_core.network.settings import ComputeSettings
from cups_core.network.vision_transformer import TransformerShape, VisionTransformer
from cups_core.semantics.scene_view import SceneView

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)
# Tokens that go through the network at once: enough to fill the device, not its memory.
TOKENS_AT_ONCE = 4096
TOKENS_AT_ONCE_GPU = 65536
MARK = "cls_token"
# Part of DINOv2's training only.
UNUSED = ("mask_token",)


class TokenFeatures:
    """A transformer ready to look at views.

    Attributes:
        network: the transformer.
        sha256: hash of the file of its weights.
        width: channels of a feature.
        cell_px: side of the square of pixels that one feature describes.
    """

    def __init__(self, checkpoint: Checkpoint, settings: ComputeSettings) -> None:
        """Takes the weights from a DINO, DINOv2 or DepthG checkpoint.

        Raises:
            CheckpointError: there is no such transformer in it.
            InputError: a GPU is asked for where there is none.
        """
        marks = [key for key in checkpoint.tensors if key.endswith(MARK)]
        if len(marks) != 1:
            raise CheckpointError(
                f"{checkpoint.path}: expected one vision transformer (a key that ends in {MARK}), "
                f"found {len(marks)}; give a DINO, DINOv2 or DepthG checkpoint"
            )
        inside = checkpoint.under(marks[0].removesuffix(MARK), UNUSED)
        shape = TransformerShape.of(inside)
        network = VisionTransformer(shape)
        load_weights(network, inside, f"a transformer of {shape}")
        self._compute = Compute(settings)
        self.network = network.eval().to(self._compute.device)
        self._mean, self._deviation = (
            torch.tensor(values, device=self._compute.device).view(3, 1, 1)
            for values in (IMAGENET_MEAN, IMAGENET_DEVIATION)
        )
        self.sha256 = checkpoint.sha256
        self.width = shape.width
        self.cell_px = shape.patch

    @property
    def device(self) -> torch.device:
        """Where the features are computed."""
        return self._compute.device

    def features(self, views: Sequence[SceneView]) -> NDArray[np.float32]:
        """Features of views of one size, float32 (N, width, H / cell_px, W / cell_px).

        Raises:
            InputError: sizes differ or are no multiples of `cell_px`.
        """
        return self.into(nn.Identity(), views)

    def into(self, head: nn.Module, views: Sequence[SceneView]) -> NDArray[np.float32]:
        """What a head on the same device makes of the features, a few views at a time.

        Raises:
            InputError: sizes differ or are no multiples of `cell_px`.
        """
        height, width = _one_size(views, self.cell_px)
        limit = TOKENS_AT_ONCE_GPU if self._compute.is_gpu else TOKENS_AT_ONCE
        at_once = max(1, limit * self.cell_px**2 // (height * width))
        found = []
        for begin in range(0, len(views), at_once):
            images = np.stack([view.image for view in views[begin : begin + at_once]])
            with self._compute.running():
                made = head(self.network.grid(self._normalised(images)))
            found.append(made.float().cpu().numpy())
        return np.concatenate(found)

    def _normalised(self, images: NDArray[np.uint8]) -> Tensor:
        """(N, H, W, 3), 0 to 255, as the network was trained to see it: (N, 3, H, W)."""
        scaled = torch.from_numpy(images).to(self._compute.device).permute(0, 3, 1, 2) / 255
        return (scaled - self._mean) / self._deviation


def _one_size(views: Sequence[SceneView], cell_px: int) -> tuple[int, int]:
    sizes = {view.shape for view in views}
    if len(sizes) != 1 or any(side % cell_px for side in views[0].shape):
        raise InputError(
            f"tokens: expected views of one size, each side a multiple of {cell_px} pixels, found "
            f"{sorted(sizes)}"
        )
    return views[0].shape
