"""The golden losses of the network: images, targets and regions of a folder, and its DropLoss.

The comparison of losses reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.golden_folder import GoldenFolder
from benchmark.golden_network import golden_image
from cups_core.network.cascade.cascade_loss import StageOutcome
from cups_core.network.cascade.drop_loss import largest_overlap
from cups_core.network.cascade.region_sampling import LabeledRegions
from cups_core.network.cascade.targets import SceneTarget

IMAGES = ("a", "c")
# How many rows the reference looks at to learn how many objects an image has.
LOOKED_AT = 100


class GoldenLosses:
    """What a folder says about losses.

    Attributes:
        golden: its arrays.
        scalars: its losses by variant.
        images: RGB (3, H, W) of the batch.
        targets: of each image.
    """

    def __init__(self, folder: Path) -> None:
        """Reads `losses.npz`, `losses.json` and the pictures."""
        self.golden = GoldenFolder(folder, "losses.npz")
        self.scalars: dict[str, Any] = json.loads((folder / "losses.json").read_text())
        self.images = [golden_image(self.golden, name) for name in IMAGES]
        self.targets = [self._target(name) for name in IMAGES]

    def array(self, name: str) -> NDArray[Any]:
        """A stored array."""
        return self.golden.arrays[name]

    def tensor(self, name: str) -> Tensor:
        """A stored array as a tensor."""
        return torch.from_numpy(self.golden.arrays[name])

    def regions(self) -> list[LabeledRegions]:
        """The sampled regions of each image."""
        return [
            LabeledRegions(
                self.tensor(f"roi_boxes_{name}"),
                self.tensor(f"roi_gt_classes_{name}"),
                self.tensor(f"roi_gt_index_{name}"),
                self.tensor(f"roi_gt_boxes_{name}"),
            )
            for name in IMAGES
        ]

    def by_image(self, name: str, stage: int, prefix: str = "") -> list[Tensor]:
        """The rows of each image in an array of a stage."""
        counts = self.array(f"{prefix}s{stage}_roi_count").tolist()
        return list(self.tensor(f"{prefix}s{stage}_{name}").split(counts))

    def _target(self, name: str) -> SceneTarget:
        semantic = self.golden.picture(f"loss_sem_gt_{name}.png")
        packed = self.array(f"gt_masks_{name}_packed")
        masks = np.unpackbits(packed, axis=-1)[:, : semantic.size]
        return SceneTarget(
            self.tensor(f"gt_boxes_{name}"),
            self.tensor(f"gt_classes_{name}"),
            torch.from_numpy(masks.reshape(-1, *semantic.shape).astype(bool)),
            torch.from_numpy(semantic.astype(np.int64)),
        )


class ReferenceDropLoss:
    """DropLoss as the reference computes it; fits `RegionWeights`.

    It takes the objects of an image from the first rows of the regions' objects, and the first
    stage drops nothing in the whole batch when an image has none.
    """

    def __init__(self, least_overlap: float) -> None:
        self._least_overlap = least_overlap

    def of(
        self, stage: int, outcome: StageOutcome, targets: Sequence[SceneTarget]
    ) -> Tensor | None:
        """See `RegionWeights.of`."""
        if stage == 0 and not all(len(target.boxes) for target in targets):
            return None
        moved = outcome.moved.split([len(image.boxes) for image in outcome.regions])
        best = [
            largest_overlap(boxes, reference_objects(image.object_boxes))
            for boxes, image in zip(moved, outcome.regions, strict=True)
        ]
        return (torch.cat(best) > self._least_overlap).float()


def reference_objects(object_boxes: Tensor) -> Tensor:
    """The boxes that the reference takes for the objects of an image; some come several times."""
    return object_boxes[: len(torch.unique(object_boxes[:LOOKED_AT], dim=0))]
