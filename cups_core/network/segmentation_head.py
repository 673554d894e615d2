"""The head that turns transformer tokens into codes, and the file that it is kept in.

After Hamilton et al., "STEGO" (ICLR 2022), which DepthG shares; `depthg` runs it and
`cups fit-semantics` trains it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cups_core.errors import CheckpointError
from cups_core.network.checkpoint_files import Checkpoint, load_weights

DROPOUT = 0.1
# Keys as in DepthG's checkpoints, so that one reader serves both.
KEYS = "net."
CLUSTERS = "cluster_probe.clusters"
FEATURES_SHA256 = "features_sha256"
EXPECTED = "a head over tokens (net.cluster1.0, net.cluster2.0 and net.cluster2.2)"


class SegmentationHead(nn.Module):
    """A linear projection and a small nonlinear one beside it, per token."""

    def __init__(self, width: int, dimension: int) -> None:
        super().__init__()
        self.cluster1 = nn.Sequential(nn.Conv2d(width, dimension, 1))
        self.cluster2 = nn.Sequential(
            nn.Conv2d(width, width, 1), nn.ReLU(), nn.Conv2d(width, dimension, 1)
        )
        self.dropout = nn.Dropout2d(DROPOUT)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width, h, w) to codes (B, dimension, h, w)."""
        return self.cluster1(self.dropout(features)) + self.cluster2(self.dropout(features))


def save_head(
    path: Path, head: SegmentationHead, centroids: NDArray[np.float32], features_sha256: str
) -> None:
    """Keep a head with its pseudo-classes.

    Args:
        path: the file to write.
        head: the trained head.
        centroids: float32 (C, D), the direction of each pseudo-class among the codes.
        features_sha256: `TokenFeatures.sha256` of the tokens that it was trained on.
    """
    tensors = {KEYS + key: tensor.cpu() for key, tensor in head.state_dict().items()}
    tensors[CLUSTERS] = torch.from_numpy(centroids)
    tensors[FEATURES_SHA256] = torch.tensor(list(bytes.fromhex(features_sha256)), dtype=torch.uint8)
    torch.save(tensors, path)


def read_head(
    checkpoint: Checkpoint, width: int, features_sha256: str
) -> tuple[SegmentationHead, NDArray[np.float32]]:
    """A head and its centroids (C, D) from a file of `save_head` or a checkpoint of DepthG.

    Args:
        checkpoint: the file.
        width: channels of the tokens that it will get.
        features_sha256: `TokenFeatures.sha256` of those tokens.

    Raises:
        CheckpointError: there is no such head, or it was trained on other tokens.
    """
    tensors = checkpoint.tensors
    trained_on = tensors.get(FEATURES_SHA256)
    if trained_on is not None and bytes(trained_on.tolist()).hex() != features_sha256:
        raise CheckpointError(
            f"{checkpoint.path}: trained on the tokens of weights with SHA-256 "
            f"{bytes(trained_on.tolist()).hex()}, given are weights with {features_sha256}: give "
            "the weights that belong to it, or train a head on these with `cups fit-semantics`"
        )
    first, clusters = tensors.get(f"{KEYS}cluster1.0.weight"), tensors.get(CLUSTERS)
    if first is None or clusters is None or clusters.ndim != 2:
        raise CheckpointError(
            f"{checkpoint.path}: expected {EXPECTED} and {CLUSTERS} of shape (classes, dimension); "
            "a transformer alone needs a head: train one with `cups fit-semantics`, give its path"
        )
    head = SegmentationHead(width, first.shape[0])
    load_weights(head.cluster1, checkpoint.under(f"{KEYS}cluster1."), EXPECTED)
    load_weights(head.cluster2, checkpoint.under(f"{KEYS}cluster2."), EXPECTED)
    if clusters.shape[1] != first.shape[0]:
        raise CheckpointError(
            f"{checkpoint.path}: {CLUSTERS} compares codes of {clusters.shape[1]} numbers, the "
            f"head makes {first.shape[0]}: the parts do not belong together"
        )
    return head.eval(), np.asarray(clusters.float().numpy())
