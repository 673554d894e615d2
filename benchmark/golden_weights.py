"""Weights of the golden folders from their seed, by the rules of the goldens' README.

The parity comparisons draw the weights here, check their hash, and load them into the networks.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
# Standard deviation and offset of a tensor by its key and shape.
Rule = Callable[[str, Shape], tuple[float, float]]


def generator(seed: int, tag: str) -> np.random.Generator:
    """The generator of one tag: Philox keyed by the first bytes of the hash of "seed:tag"."""
    digest = hashlib.sha256(f"{seed}:{tag}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:8], "little")))


def draw_weights(
    seed: int,
    shapes: Mapping[str, Shape],
    rule: Rule,
    expected_sha256: str,
    given: Mapping[str, NDArray[Any]] = MappingProxyType({}),
) -> dict[str, NDArray[Any]]:
    """All tensors of a network.

    Args:
        seed: of the golden folder.
        shapes: of every tensor, by key.
        rule: how those that are drawn are spread.
        expected_sha256: hash of all of them.
        given: those that are stored instead of drawn.

    Raises:
        ValueError: they are not the tensors that the golden numbers were computed with.
    """
    tensors = dict(given)
    for key, shape in shapes.items():
        if key in given:
            continue
        std, offset = rule(key, shape)
        values = generator(seed, key).standard_normal(shape, dtype=np.float32)
        values *= np.float32(std)
        if offset:
            values += np.float32(offset)
        tensors[key] = values
    found = state_dict_sha256(tensors)
    if found != expected_sha256:
        raise ValueError(
            f"weights of seed {seed}: expected SHA-256 {expected_sha256} (manifest.json), found "
            f"{found}: the tensors' names, shapes or rules differ from the golden ones"
        )
    return tensors


def state_dict_sha256(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    """Hash over all tensors in the order of their keys."""
    digest = hashlib.sha256()
    for key in sorted(tensors):
        digest.update(key.encode() + b"\0")
        digest.update(np.ascontiguousarray(tensors[key]))
    return digest.hexdigest()


# Standard deviation and offset of the cascade's tensors by the end of their key; the first line
# that fits counts.
CASCADE_ENDS: tuple[tuple[str, float, float], ...] = (
    ("conv3.norm.weight", 0.05, 0.3),
    ("norm.weight", 0.1, 1.0),
    ("norm.bias", 0.1, 0.0),
    (".bias", 0.02, 0.0),
    ("objectness_logits.weight", 0.05, 0.0),
    ("anchor_deltas.weight", 0.02, 0.0),
    ("cls_score.weight", 0.15, 0.0),
    ("bbox_pred.weight", 0.05, 0.0),
    ("predictor.weight", 0.15, 0.0),
)


def cascade_rule(key: str, shape: Shape) -> tuple[float, float]:
    """The spread of a tensor of Panoptic Cascade Mask R-CNN."""
    for end, std, offset in CASCADE_ENDS:
        if key.endswith(end):
            return std, offset
    # The weight of a transposed convolution begins with its inputs.
    fan_in = shape[0] if key.endswith("deconv.weight") else math.prod(shape[1:])
    return math.sqrt(2 / fan_in), 0.0


def raft_rule(key: str, shape: Shape) -> tuple[float, float]:
    """The spread of a tensor of RAFT."""
    if key.endswith(".bias"):
        return 0.02, 0.0
    fan_in = math.prod(shape[1:])
    if "convgru" in key:
        return math.sqrt(1 / fan_in), 0.0
    if key.endswith("flow_head.conv2.weight"):
        return 0.1 * math.sqrt(1 / fan_in), 0.0
    return math.sqrt(2 / fan_in), 0.0


def depthg_rule(key: str, shape: Shape) -> tuple[float, float]:
    """The spread of a tensor of DepthG."""
    layer, _, kind = key.rpartition(".")
    if layer.endswith(("norm", "norm1", "norm2")):
        return (0.1, 1.0) if kind == "weight" else (0.1, 0.0)
    if kind == "bias":
        return 0.02, 0.0
    if kind in ("pos_embed", "cls_token"):
        return 0.5, 0.0
    if key == "cluster_probe.clusters":
        return 1.0, 0.0
    return math.sqrt(1 / math.prod(shape[1:])), 0.0
