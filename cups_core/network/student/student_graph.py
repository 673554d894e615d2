"""The student as a graph of fixed shapes: one image in; classes, the best centres and offsets out.

The export turns it into ONNX, the torch backend runs it. Centres are found by a maximum over their
neighbourhood and a sort, without lists of unknown length.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from cups_core.centre_grouping import STRIDE
from cups_core.network.student.panoptic_student import PanopticStudent

CENTRES = 100
# Cells around a centre within which it is the only one: 8 pixels each way, the deviation of the
# heat that the student is taught.
WINDOW = 5


class StudentGraph(nn.Module):
    """What is exported.

    Attributes:
        student: the network, in evaluation mode; its layers may be in 16 bits, the image and all
            outputs are in 32.
    """

    def __init__(self, student: PanopticStudent) -> None:
        super().__init__()
        self.student = student
        self.eval()

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One image (1, 3, H, W), normalised, sides multiples of 32.

        Returns:
            semantic: logits (1, C, H / 4, W / 4).
            centres: (100, 3), x, y in pixels of the image and score, best first; 0 = unused.
            offsets: (1, 2, H / 4, W / 4), pixels of the image.
        """
        found = self.student(image.to(next(self.student.parameters()).dtype))
        return found.semantic.float(), best_centres(found.heat.float()), found.offsets.float()


def best_centres(heat: Tensor) -> Tensor:
    """The `CENTRES` best local maxima of heat (1, 1, h, w): x, y in pixels and score, (100, 3).

    A neighbourhood of equal values has several; the grouping leaves all but one out.
    """
    highest = functional.max_pool2d(heat, WINDOW, 1, WINDOW // 2)
    peaks = torch.where(heat == highest, heat.clamp(0.0, 1.0), 0.0)
    scores, cells = peaks.flatten().topk(CENTRES)
    # A table instead of a division, of which the exporter would make six operators.
    rows, columns = np.indices(heat.shape[2:], np.float32).reshape(2, -1)
    places = torch.from_numpy((np.stack([columns, rows], 1) + 0.5) * STRIDE).to(heat)
    return torch.cat([places.index_select(0, cells), scores[:, None]], 1)
