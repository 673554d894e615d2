"""What an image shows according to its labels: objects with masks, and a class for every pixel.

Training hands it to the losses.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from cups_core.errors import InputError
from cups_core.network.cascade.boxes import is_extended

IGNORED = 255


@dataclass(frozen=True, eq=False)
class SceneTarget:
    """The truth of one image of (H, W) pixels.

    Attributes:
        boxes: float32 (G, 4), left, top, right, bottom in pixels.
        classes: int64 (G,), 0 to things - 1.
        masks: bool (G, H, W).
        semantic: int64 (H, W), 0 = some thing, k = the k-th stuff, 255 = not known.

    Raises:
        InputError: they do not belong together, or a box is empty.
    """

    boxes: Tensor
    classes: Tensor
    masks: Tensor
    semantic: Tensor

    def __post_init__(self) -> None:
        count = len(self.boxes)
        size = tuple(self.semantic.shape)
        if (
            self.boxes.shape != (count, 4)
            or self.classes.shape != (count,)
            or self.masks.shape != (count, *size)
        ):
            raise InputError(
                f"target: expected boxes (G, 4), classes (G,) and masks (G, {size[0]}, {size[1]}), "
                f"found {tuple(self.boxes.shape)}, {tuple(self.classes.shape)} and "
                f"{tuple(self.masks.shape)}"
            )
        if not is_extended(self.boxes).all():
            raise InputError(
                f"target: box {int(torch.nonzero(~is_extended(self.boxes))[0])} of {count} is "
                "empty: leave objects without pixels out"
            )

    def to(self, device: torch.device) -> SceneTarget:
        """The same on another device."""
        return SceneTarget(
            self.boxes.to(device),
            self.classes.to(device),
            self.masks.to(device),
            self.semantic.to(device),
        )
