"""Files of weights as others write them, built from the names and shapes of their tensors.

Each tensor holds one number in every place, stored once: files of 73 million numbers stay small.
"""

from __future__ import annotations

import os
import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from cups_core.network.panoptic_checkpoints import backbone_shapes, panoptic_shapes
from cups_core.network.weight_differences import Shape

THINGS, STUFFS = 5, 22
TEACHER_SHIFT = 0.5


def numbered(shapes: Mapping[str, Shape], shift: float = 0.0) -> OrderedDict[str, Tensor]:
    """A tensor for each shape, full of its number in the order of the keys, plus `shift`."""
    return OrderedDict(
        (
            key,
            torch.tensor(3)
            if key.endswith("num_batches_tracked")
            else torch.tensor(number / 8 + shift).expand(shape),
        )
        for number, (key, shape) in enumerate(sorted(shapes.items()))
    )


def panoptic_tensors(shift: float = 0.0) -> OrderedDict[str, Tensor]:
    """The 431 tensors of a network."""
    return numbered(panoptic_shapes(THINGS, STUFFS), shift)


class RunsCode:
    """Pickled so that a careless reader creates a file."""

    def __init__(self, proof: Path) -> None:
        self.command = f"touch {proof}"

    def __reduce__(self) -> object:
        return os.system, (self.command,)


def write_lightning(path: Path, extra: object = None) -> None:
    """What PyTorch Lightning writes of CUPS: student, teacher, and a yacs configuration object."""
    state: OrderedDict[str, Tensor] = OrderedDict()
    state.update({f"model.{key}": value for key, value in panoptic_tensors().items()})
    teacher = panoptic_tensors(TEACHER_SHIFT)
    state.update({f"teacher_model.model.{key}": value for key, value in teacher.items()})
    with pytest.MonkeyPatch.context() as patch:
        node = type("CfgNode", (dict,), {"__module__": "yacs.config"})
        for place in ("yacs", "yacs.config"):
            patch.setitem(sys.modules, place, types.ModuleType(place))
        sys.modules["yacs.config"].CfgNode = node  # type: ignore[attr-defined]
        config = node(MODEL=node(USE_DINO=True, TTA_SCALES=(0.5, 0.75, 1.0)))
        config.__dict__["__immutable__"] = True
        content = {
            "epoch": 0,
            "global_step": 1500,
            "pytorch-lightning_version": "2.1.0",
            "state_dict": state,
            "optimizer_states": [{"state": {0: {"step": torch.tensor(1.0)}}}],
            "hyper_parameters": {
                "config": config,
                "thing_pseudo_classes": (3, 7, 11),
                "class_names": ["road"],
                "classes_mask": torch.ones(27, dtype=torch.bool),
                "extra": extra,
            },
        }
        torch.save(content, path)


def write_detectron2_pickle(path: Path, tensors: Mapping[str, Tensor], protocol: int) -> None:
    """What detectron2 converts models to: NumPy arrays in a bare pickle."""
    model = {key: tensor.numpy().copy() for key, tensor in tensors.items()}
    content = {"model": model, "__author__": "DINO", "matching_heuristics": True}
    path.write_bytes(pickle.dumps(content, protocol))


def backbone_tensors() -> OrderedDict[str, Tensor]:
    """The tensors of a ResNet-50 in detectron2's names."""
    return numbered(backbone_shapes())


def torchvision_tensors() -> OrderedDict[str, Tensor]:
    """The same numbers in torchvision's names, with a classifier."""
    renamed: OrderedDict[str, Tensor] = OrderedDict()
    for key, tensor in backbone_tensors().items():
        layer, _, kind = key.rpartition(".")
        is_norm = layer.endswith(".norm")
        layer = layer.removesuffix(".norm")
        if layer == "stem.conv1":
            name = "bn1" if is_norm else "conv1"
        else:
            stage, block, conv = layer.split(".")
            if conv == "shortcut":
                part = f"downsample.{int(is_norm)}"
            else:
                part = ("bn" if is_norm else "conv") + conv[-1]
            name = f"layer{int(stage[-1]) - 1}.{block}.{part}"
        renamed[f"{name}.{kind}"] = tensor
    renamed["fc.weight"] = torch.zeros(1).expand(1000, 2048)
    renamed["fc.bias"] = torch.zeros(1000)
    return renamed
