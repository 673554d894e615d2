"""Weights of the golden folders from their seed, by the rules of the goldens' README.

The parity comparisons draw the weights here, check their hash, and load them into the networks.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping

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
    seed: int, shapes: Mapping[str, Shape], rule: Rule, expected_sha256: str
) -> dict[str, NDArray[np.float32]]:
    """All tensors of a network.

    Raises:
        ValueError: they are not the tensors that the golden numbers were computed with.
    """
    tensors = {}
    for key, shape in shapes.items():
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
