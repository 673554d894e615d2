"""What the student is taught of an image: classes, heat around centres, and the way to them.

Training makes them of panoptic maps, people's or a teacher's; `student_loss` compares with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cups_core.centre_grouping import STRIDE
from cups_core.errors import InputError
from cups_core.network.student.settings import StudentLossSettings
from cups_core.panoptic import VOID_SEGMENT, PanopticMap

IGNORED = 255
# Standard deviation of the heat around a centre.
SPREAD_PX = 8.0


@dataclass(frozen=True, eq=False)
class StudentTargets:
    """The truth of B images, padded to (H, W).

    Attributes:
        classes: int64 (B, H, W), 255 = not known.
        weights: float32 (B, H, W), how much the class of each pixel counts.
        heat: float32 (B, 1, H / 4, W / 4), 1 at centres of things, less around them.
        is_heat_known: bool, as heat; false where nobody knows what is there.
        offsets: float32 (B, 2, H / 4, W / 4), x and y from a cell's middle to the centre, pixels.
        is_thing: bool (B, 1, H / 4, W / 4), where offsets count.
    """

    classes: Tensor
    weights: Tensor
    heat: Tensor
    is_heat_known: Tensor
    offsets: Tensor
    is_thing: Tensor

    @classmethod
    def of(
        cls,
        truths: Sequence[PanopticMap],
        things: int,
        stuffs: int,
        size: tuple[int, int],
        settings: StudentLossSettings,
    ) -> StudentTargets:
        """The targets of a batch.

        A segment of a thing class that is no thing is a crowd: its class is taught, its centres
        are not known.

        Args:
            truths: of each image; class ids are stuff from 0 and then things.
            things, stuffs: numbers of classes.
            size: height and width of the batch, multiples of 4; the images lie at its top left.
            settings: which things are small and what they count.

        Raises:
            InputError: a map is larger than the batch or has other classes.
        """
        made = [_of_map(truth, things, stuffs, size, settings) for truth in truths]
        return cls(*(torch.stack([item[k] for item in made]) for k in range(len(fields(cls)))))

    def to(self, device: torch.device) -> StudentTargets:
        """The same on another device."""
        return StudentTargets(*(getattr(self, item.name).to(device) for item in fields(self)))


def _of_map(
    truth: PanopticMap,
    things: int,
    stuffs: int,
    size: tuple[int, int],
    setting: StudentLossSettings,
) -> tuple[Tensor, ...]:
    height, width = truth.segments.shape
    if height > size[0] or width > size[1] or size[0] % STRIDE or size[1] % STRIDE:
        raise InputError(
            f"targets: expected a map of at most {size[1]}x{size[0]} pixels, multiples of "
            f"{STRIDE}, found {width}x{height}"
        )
    segments = np.pad(truth.segments, ((0, size[0] - height), (0, size[1] - width)))
    count = max((segment.id for segment in truth.table), default=VOID_SEGMENT) + 1
    class_of = np.full(count, IGNORED, np.int64)
    weight_of, is_known = np.ones(count, np.float32), np.zeros(count, np.bool_)
    is_thing = np.zeros(count, np.bool_)
    for segment in truth.table:
        if segment.class_id >= stuffs + things or segment.is_thing > (segment.class_id >= stuffs):
            raise InputError(
                f"targets: segment {segment.id}: expected stuff classes 0 to {stuffs - 1} and "
                f"thing classes {stuffs} to {stuffs + things - 1}, found "
                f"{'thing' if segment.is_thing else 'stuff'} {segment.class_id}: number the "
                "classes as the student does"
            )
        class_of[segment.id] = segment.class_id
        is_thing[segment.id] = segment.is_thing
        is_known[segment.id] = segment.is_thing or segment.class_id < stuffs
        if segment.is_thing and segment.area_px < setting.small_thing_share * height * width:
            weight_of[segment.id] = setting.small_thing_weight
    centres = _centres(segments, count)
    # The pixel in the middle of each cell speaks for it.
    cells = segments[STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
    rows, columns = ((np.arange(n, dtype=np.float32) + 0.5) * STRIDE for n in cells.shape)
    heat = np.zeros(cells.shape, np.float32)
    for x, y in centres[is_thing]:
        # The exponential of a sum is a product: one row and one column make the bell.
        down, across = (
            np.exp(-((place - at) ** 2) / (2 * SPREAD_PX**2))
            for place, at in ((rows, y), (columns, x))
        )
        np.maximum(heat, np.outer(down, across), out=heat)
    offsets = np.stack([centres[cells, 0] - columns, centres[cells, 1] - rows[:, None]])
    inside = is_thing[cells]
    return (
        torch.from_numpy(class_of[segments]),
        torch.from_numpy(weight_of[segments]),
        torch.from_numpy(heat)[None],
        torch.from_numpy(is_known[cells])[None],
        torch.from_numpy(np.where(inside, offsets, 0).astype(np.float32)),
        torch.from_numpy(inside)[None],
    )


def _centres(segments: NDArray[np.uint16], count: int) -> NDArray[np.float64]:
    """(count, 2): mean place of the pixels of each segment, x and y; 0 where it has none."""
    ids = segments.ravel()
    area = np.maximum(np.bincount(ids, minlength=count), 1)
    y, x = np.indices(segments.shape, np.float32).reshape(2, -1) + 0.5
    return np.stack([np.bincount(ids, place, count) / area for place in (x, y)], 1)
