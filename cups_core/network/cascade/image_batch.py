"""Images of several sizes as one tensor; the network and its losses begin with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from cups_core.errors import InputError
from cups_core.network.cascade.feature_pyramid import SIZE_MULTIPLE

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)
# Values a little outside [0, 1] come from resizing; anything more is another number range.
TOLERANCE = 0.01


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """What the backbone takes.

    Attributes:
        images: float32 (B, 3, H, W), normalised, then padded with zeros at the right and bottom to
            one size, a multiple of 32.
        sizes: height and width of each image before padding.
    """

    images: Tensor
    sizes: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, images: Sequence[Tensor]) -> ImageBatch:
        """A batch of RGB images (3, H, W) in [0, 1].

        Raises:
            InputError: an image has another shape or another range of numbers.
        """
        for number, image in enumerate(images):
            _check(number, image)
        sizes = tuple((int(image.shape[1]), int(image.shape[2])) for image in images)
        height, width = (
            -(-max(side) // SIZE_MULTIPLE) * SIZE_MULTIPLE for side in zip(*sizes, strict=True)
        )
        mean, deviation = (
            torch.tensor(values, device=images[0].device)[:, None, None]
            for values in (MEAN, DEVIATION)
        )
        padded = [
            functional.pad(
                (image - mean) / deviation, (0, width - image.shape[2], 0, height - image.shape[1])
            )
            for image in images
        ]
        # With channels last in memory convolutions need no copies, and RoIAlign neither.
        images = torch.stack(padded).contiguous(memory_format=torch.channels_last)
        return cls(images, sizes)


def _check(number: int, image: Tensor) -> None:
    if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
        raise InputError(
            f"image {number}: expected floating-point RGB (3, H, W), "
            f"found {image.dtype} {tuple(image.shape)}"
        )
    low, high = image.min().item(), image.max().item()
    if not (low >= -TOLERANCE and high <= 1 + TOLERANCE):
        raise InputError(
            f"image {number}: expected values from 0 to 1, found {low:g} to {high:g}: "
            "divide 8-bit images by 255"
        )
