"""The student: RGB images in; classes, centres of things and the way to them out, in one stage.

`student_loss` trains it, `student_graph` exports it, `student_checkpoints` keeps it. After Cheng et
al., "Panoptic-DeepLab" (CVPR 2020), with a lighter decoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cups_core.errors import InputError
from cups_core.network.student.decoder import WIDTHS, Decoder, Separable
from cups_core.network.student.mobilenet_v3 import MobileNetV3
from cups_core.network.student.resnet18 import ResNet18
from cups_core.network.weight_kinds import MOBILENET, RESNET18

BACKBONES: dict[str, type[MobileNetV3 | ResNet18]] = {
    MOBILENET: MobileNetV3,
    RESNET18: ResNet18,
}
# What the last layer calls one: its numbers stay near 1 where pixels are far from centres.
OFFSET_UNIT_PX = 32.0


@dataclass(frozen=True, eq=False)
class StudentOutputs:
    """What the network says of every fourth pixel of B images.

    Attributes:
        semantic: logits (B, C, H / 4, W / 4); stuff classes first, then things.
        heat: (B, 1, H / 4, W / 4), about 1 where the centre of a thing is and 0 elsewhere.
        offsets: (B, 2, H / 4, W / 4), x and y to the centre of the thing, pixels of the image.
    """

    semantic: Tensor
    heat: Tensor
    offsets: Tensor


class PanopticStudent(nn.Module):
    """The network.

    Attributes:
        backbone: what is in the image, at four sizes.
        decoder: the same at one size.
        semantic_head, centre_head, offset_head: what is asked of each cell.
        counts: int64 (2,), things and stuffs, so that a file of weights tells them.

    Raises:
        InputError: an unknown backbone.
    """

    def __init__(self, backbone: str, things: int, stuffs: int) -> None:
        super().__init__()
        if backbone not in BACKBONES:
            raise InputError(
                f"backbone: expected one of {', '.join(BACKBONES)}, found {backbone!r}"
            )
        self.backbone = BACKBONES[backbone]()
        self.decoder = Decoder(self.backbone.channels)
        self.semantic_head = _head(things + stuffs)
        self.centre_head = _head(1)
        self.offset_head = _head(2)
        self.register_buffer("counts", torch.tensor([things, stuffs]))
        self.things, self.stuffs = things, stuffs

    def forward(self, images: Tensor) -> StudentOutputs:
        """Look at images (B, 3, H, W), normalised, sides multiples of 32."""
        features = self.decoder(self.backbone(images))
        return StudentOutputs(
            self.semantic_head(features),
            self.centre_head(features),
            self.offset_head(features) * OFFSET_UNIT_PX,
        )


def _head(outputs: int) -> nn.Sequential:
    last = nn.Conv2d(WIDTHS[0], outputs, 1)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return nn.Sequential(Separable(WIDTHS[0]), last)
