"""Optical flow and disparity by RAFT; fits wherever a flow or disparity estimator is taken.

`RaftMatcher` uses it for the frames of a drive, where images take part in several pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cups_core.errors import InputError
from cups_core.network.checkpoint_files import Checkpoint, load_weights
from cups_core.network.compute import Compute
from cups_core.network.correlation import volume_bytes
from cups_core.network.raft import STRIDE, EncodedImages, Raft
from cups_core.network.settings import RaftSettings

PREFIX = "raft."
EXPECTED = "the SMURF weights of RAFT (raft_smurf.pt: 94 tensors, each key begins with 'raft.')"
# At the coarsest of four scales a feature map must still have a pixel.
SMALLEST_SIDE = 64
Map = NDArray[np.float32]


class RaftEstimator:
    """RAFT with the weights of a file.

    Attributes:
        weights_sha256: hash of that file.
    """

    def __init__(self, checkpoint: Checkpoint, settings: RaftSettings) -> None:
        """Takes the weights from what `read_checkpoint` found in a file.

        Raises:
            CheckpointError: they are not RAFT's.
            InputError: a GPU is asked for where there is none.
        """
        network = Raft()
        load_weights(network, checkpoint, EXPECTED, PREFIX)
        self.weights_sha256 = checkpoint.sha256
        self._settings = settings
        self._compute = Compute(settings)
        self._network = network.eval().to(self._compute.device)

    def flow(
        self, first: NDArray[np.uint8], second: NDArray[np.uint8], start: Map | None = None
    ) -> Map:
        """See `FlowEstimator.flow`."""
        encoded = self.encode([first, second])
        return self.flows(encoded, [(0, 1)], first.shape[:2], start)[0]

    def disparities(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[Map, Map]:
        """See `DisparityEstimator.disparities`; what points the wrong way is 0."""
        encoded = self.encode([left, right])
        return disparities_of(*self.flows(encoded, [(0, 1), (1, 0)], left.shape[:2]))

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> EncodedImages:
        """Do once what every pair needs of an image.

        Args:
            images: uint8 (H, W, 3) RGB or (H, W) gray, all of one size.

        Raises:
            InputError: sizes differ, or are too small for the coarsest scale.
        """
        shapes = {image.shape for image in images}
        height, width = images[0].shape[:2]
        if len(shapes) != 1 or min(height, width) < SMALLEST_SIDE:
            raise InputError(
                f"RAFT: expected images of one size, at least {SMALLEST_SIDE} pixels each way, "
                f"found {sorted(shapes)}"
            )
        colored = [
            image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
            for image in images
        ]
        stacked = torch.from_numpy(np.stack(colored)).to(self._compute.device)
        scaled = 2 * (stacked.permute(0, 3, 1, 2).float() / 255) - 1
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        with self._compute.running():
            return self._network.encode(functional.pad(scaled, padding, mode="replicate"))

    def flows(
        self,
        encoded: EncodedImages,
        pairs: Sequence[tuple[int, int]],
        size: tuple[int, ...],
        start: Map | None = None,
    ) -> list[Map]:
        """Flow of several pairs of the encoded images.

        Args:
            encoded: images that went through `encode`.
            pairs: numbers of the first and of the second image of each pair.
            size: (H, W) of the images.
            start: a first guess for every pair, float32 (H, W, 2), pixels.

        Returns:
            float32 (H, W, 2) of each pair, pixels: x right, y down.
        """
        at_once = self._pairs_at_once(*encoded.features.shape[2:])
        guess = None if start is None else self._coarse(start)
        found: list[Map] = []
        for begin in range(0, len(pairs), at_once):
            first, second = zip(*pairs[begin : begin + at_once], strict=True)
            with self._compute.running():
                flow = self._network.match(
                    encoded.rows(first), encoded.rows(second), self._settings.iterations, guess
                )
            cropped = flow[:, :, : size[0], : size[1]].permute(0, 2, 3, 1)
            found.extend(np.ascontiguousarray(item) for item in cropped.cpu().numpy())
        return found

    def _pairs_at_once(self, height: int, width: int) -> int:
        if not self._compute.is_gpu:
            return 1
        return max(1, (self._settings.correlation_mib << 20) // volume_bytes(height, width))

    def _coarse(self, start: Map) -> Tensor:
        """A guess at image size brought to the size of the features."""
        height, width = start.shape[:2]
        guess = torch.from_numpy(start).to(self._compute.device).permute(2, 0, 1)[None]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        padded = functional.pad(guess, padding, mode="replicate")
        return functional.avg_pool2d(padded, STRIDE) / STRIDE


def disparities_of(to_right: Map, to_left: Map) -> tuple[Map, Map]:
    """Disparity of the left and of the right view: flow to the other view along the rows."""
    return (
        np.maximum(-to_right[..., 0], np.float32(0)),
        np.maximum(to_left[..., 0], np.float32(0)),
    )
