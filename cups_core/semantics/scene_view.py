"""What semantics looks at: an image with the depth and the surfaces that stereo found in it.

Depth-guided inference cuts views into windows and halves them; code extractors turn views into
codes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError

SURFACE_CHANNELS = ("height_m", "up", "facing", "elevation")


@dataclass(frozen=True, eq=False)
class SceneView:
    """An image, or a part of one, with its geometry.

    Attributes:
        image: (H, W, 3), RGB, 0 to 255; uint8 as a camera gives it, float32 after `halved`.
        depth_m: float32 (H, W), metres, NaN = unknown.
        surface: float32 (H, W, 4), the channels `SURFACE_CHANNELS`: height above the road in
            metres; component of the surface normal along the road's normal; its component towards
            the camera along the optical axis; sine of the angle of the pixel's ray above the
            horizon. NaN = unknown. None where nobody needs it (networks read the image alone).

    Raises:
        InputError: sizes or types differ from these.
    """

    image: NDArray[Any]
    depth_m: NDArray[np.float32]
    surface: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        size = self.depth_m.shape
        if self.image.shape != (*size, 3) or self.image.dtype not in (np.uint8, np.float32):
            raise InputError(
                f"view: expected a uint8 or float32 image of shape {(*size, 3)} as the depth says, "
                f"found {self.image.dtype} {self.image.shape}"
            )
        if self.depth_m.dtype != np.float32:
            raise InputError(f"view: expected float32 depth, found {self.depth_m.dtype}")
        expected = (*size, len(SURFACE_CHANNELS))
        if self.surface is not None and (
            self.surface.shape != expected or self.surface.dtype != np.float32
        ):
            raise InputError(
                f"view: expected a float32 surface of shape {expected}, found "
                f"{self.surface.dtype} {self.surface.shape}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width), pixels."""
        height, width = self.depth_m.shape
        return height, width

    def crop(self, left: int, top: int, width: int, height: int) -> SceneView:
        """The window whose first pixel is (`left`, `top`); shares memory with this view.

        Raises:
            InputError: the window leaves the view.
        """
        rows, columns = self.shape
        if left < 0 or top < 0 or left + width > columns or top + height > rows:
            raise InputError(
                f"crop {width}x{height} at ({left}, {top}) leaves the view of {columns}x{rows}"
            )
        window = np.s_[top : top + height, left : left + width]
        return SceneView(
            self.image[window],
            self.depth_m[window],
            None if self.surface is None else self.surface[window],
        )

    def halved(self) -> SceneView:
        """Half the size: the image bilinear (means of 2 x 2 pixels), geometry taken, not mixed.

        Of an odd number of rows or columns the last one is left out.
        """
        rows, columns = (side // 2 * 2 for side in self.shape)
        image = self.image[:rows, :columns].astype(np.float32)
        return SceneView(
            cv2.resize(image, (columns // 2, rows // 2), interpolation=cv2.INTER_LINEAR),
            np.ascontiguousarray(self.depth_m[:rows:2, :columns:2]),
            None
            if self.surface is None
            else np.ascontiguousarray(self.surface[:rows:2, :columns:2]),
        )

    def mirrored(self) -> SceneView:
        """Left and right exchanged; no channel of the geometry has a sign that this would turn."""
        return SceneView(
            np.ascontiguousarray(self.image[:, ::-1]),
            np.ascontiguousarray(self.depth_m[:, ::-1]),
            None if self.surface is None else np.ascontiguousarray(self.surface[:, ::-1]),
        )

    def padded(self, multiple: int) -> SceneView:
        """Continued to the right and below by its last pixels until both sides are multiples."""
        rows, columns = (-side % multiple for side in self.shape)
        if rows == columns == 0:
            return self
        border = ((0, rows), (0, columns), (0, 0))
        return SceneView(
            np.pad(self.image, border, mode="edge"),
            np.pad(self.depth_m, border[:2], mode="edge"),
            None if self.surface is None else np.pad(self.surface, border, mode="edge"),
        )


class CodeExtractor(Protocol):
    """What turns views into codes: a network, or features computed without any weights."""

    @property
    def cell_px(self) -> int:
        """Side of the square of pixels that one code describes; view sides are multiples of it."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether a code depends on its surroundings only.

        Then windows of a view have the codes that the view has there, and cutting brings nothing.
        """
        ...

    def codes(self, views: Sequence[SceneView]) -> NDArray[np.float32]:
        """Codes of several views of one size H x W.

        Returns:
            float32 (N, D, H / cell_px, W / cell_px), of any length: comparisons are by angle.

        Raises:
            InputError: sizes differ or are no multiples of `cell_px`, or a view lacks what the
                codes are made of.
        """
        ...
