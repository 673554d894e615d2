"""Codes by DepthG: a DINO transformer with a segmentation head; a code extractor for inference.

`cups label` builds it where weights are given; depth-guided inference asks it for codes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cups_core.network.checkpoint_files import Checkpoint
from cups_core.network.segmentation_head import read_head
from cups_core.network.settings import ComputeSettings
from cups_core.network.token_features import TokenFeatures
from cups_core.semantics.scene_view import SceneView


class DepthG:
    """Fits `CodeExtractor`.

    Attributes:
        features: the transformer.
        centroids: float32 (C, D), the direction of each pseudo-class among the codes.
        head_sha256: hash of the file that the head came from.
        cell_px: side of the square of pixels that one code describes.
        is_local: tokens see the whole view, so cutting it into windows changes them.
    """

    is_local = False

    def __init__(
        self, weights: Checkpoint, head: Checkpoint | None, settings: ComputeSettings
    ) -> None:
        """Takes the networks from what `read_checkpoint` found in files.

        Args:
            weights: of `depthg.ckpt`, or of a state dict of DINO or DINOv2.
            head: of a file of `save_head`; None where `weights` brings its own head.
            settings: device and precision.

        Raises:
            CheckpointError: it is another network, or the two do not belong together.
            InputError: a GPU is asked for where there is none.
        """
        self.features = TokenFeatures(weights, settings)
        with_head = head or weights
        network, self.centroids = read_head(with_head, self.features.width, weights.sha256)
        self._head = network.to(self.features.device)
        self.head_sha256 = with_head.sha256
        self.cell_px = self.features.cell_px

    def codes(self, views: Sequence[SceneView]) -> NDArray[np.float32]:
        """See `CodeExtractor.codes`."""
        return self.features.into(self._head, views)
