"""How a picture gets into a detector: tiles, resizing, order of axes and colors, range of values.

The ONNX detector fills the model's input with it and brings the boxes back to the picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_training.privacy.detector_description import DetectorDescription, DetectorSettings

PADDING = 114
"""Gray around a letterboxed picture, as YOLO models know it."""
TYPES = {
    "tensor(uint8)": np.uint8,
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
}
LAYOUTS = {4: ("nchw", "nhwc"), 3: ("chw", "hwc")}
# Networks halve their input up to five times; those that take any size want such multiples.
SIZE_STEP = 32

Window = tuple[slice, slice]


@dataclass(frozen=True)
class View:
    """Where a window of the picture lies in the model's input.

    Attributes:
        width: of the input, pixels.
        height: of the input, pixels.
        inner: width and height that the window has in the input, pixels.
        offset: left and top edge of the window in the input, pixels.
        origin: left and top edge of the window in the picture, pixels.
        scale: pixels of the input per pixel of the picture, x and y.
    """

    width: int
    height: int
    inner: tuple[int, int]
    offset: tuple[int, int]
    origin: tuple[int, int]
    scale: tuple[float, float]

    def in_picture(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Boxes (N, 4), corners in pixels of the input, in pixels of the picture."""
        corners = boxes.reshape(-1, 2, 2)
        found = (corners - np.array(self.offset)) / np.array(self.scale) + np.array(self.origin)
        return np.asarray(found.reshape(-1, 4))


@dataclass(frozen=True, eq=False)
class InputTensor:
    """What a model takes in.

    Attributes:
        name: of the input.
        layout: order of its axes: nchw, nhwc, chw or hwc.
        dtype: uint8, float32 or float16.
        width: pixels; 0 = any.
        height: pixels; 0 = any.
        description: the YAML file.
    """

    name: str
    layout: str
    dtype: type[Any]
    width: int
    height: int
    description: DetectorDescription

    @staticmethod
    def of(inputs: Sequence[onnxruntime.NodeArg], description: DetectorDescription) -> InputTensor:
        """The input of a model.

        Raises:
            InputError: it takes something else than one picture, or the file does not say enough.
        """
        settings = description.settings
        listed = ", ".join(f"{one.name} {one.type} {one.shape}" for one in inputs)
        if len(inputs) != 1 or inputs[0].type not in TYPES or len(inputs[0].shape) not in LAYOUTS:
            raise InputError(
                f"inputs: expected one picture of {', '.join(TYPES)} with 3 or 4 axes, found "
                f"{listed}"
            )
        (one,) = inputs
        sizes = [size if isinstance(size, int) and size > 0 else 0 for size in one.shape]
        layout = _axes(sizes, settings.input_layout, listed)
        of_axis = dict(zip(layout, sizes, strict=True))
        if of_axis.get("n", 1) not in (0, 1) or of_axis["c"] not in (0, 3):
            raise InputError(
                f"inputs: expected one RGB picture at a time ({layout}), found {listed}"
            )
        for axis, name, said in (
            ("w", "input_width", settings.input_width),
            ("h", "input_height", settings.input_height),
        ):
            if said and of_axis[axis] not in (0, said):
                raise InputError(f"{name}: the file says {said}, the model takes {listed}")
        dtype = TYPES[one.type]
        if (dtype == np.uint8) != (settings.input_scale == 0):
            raise InputError(
                f"input_scale: {listed} needs "
                + (
                    "none, it takes pixels as they are"
                    if dtype == np.uint8
                    else "it: 0.00392157 (1/255) if the model was trained on 0 to 1, 1 on 0 to 255"
                )
            )
        return InputTensor(
            one.name,
            layout,
            dtype,
            of_axis["w"] or settings.input_width,
            of_axis["h"] or settings.input_height,
            description,
        )

    def view(self, window: Window) -> View:
        """How a window of a picture will lie in the input."""
        top, left = window[0].start, window[1].start
        height, width = window[0].stop - top, window[1].stop - left
        full = (self.width or _rounded_up(width), self.height or _rounded_up(height))
        if self.description.settings.resize == "stretch":
            inner = full
        else:
            is_free = not (self.width or self.height)
            shrink = 1.0 if is_free else min(full[0] / width, full[1] / height)
            inner = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        offset = ((full[0] - inner[0]) // 2, (full[1] - inner[1]) // 2)
        return View(*full, inner, offset, (left, top), (inner[0] / width, inner[1] / height))

    def filled(self, part: NDArray[np.uint8], view: View) -> NDArray[Any]:
        """The input for one window of a picture, uint8 (H, W, 3), RGB."""
        canvas = np.full((view.height, view.width, 3), PADDING, np.uint8)
        left, top = view.offset
        width, height = view.inner
        canvas[top : top + height, left : left + width] = cv2.resize(
            part, view.inner, interpolation=cv2.INTER_LINEAR
        )
        values: NDArray[Any] = canvas
        if self.dtype != np.uint8:
            scaled = canvas.astype(np.float32) * np.float32(self.description.settings.input_scale)
            mean, std = (
                np.array(v, np.float32) for v in (self.description.mean, self.description.std)
            )
            values = ((scaled - mean) / std).astype(self.dtype)
        if self.description.settings.channels == "bgr":
            values = values[..., ::-1]
        if self.layout in ("nchw", "chw"):
            values = values.transpose(2, 0, 1)
        return np.ascontiguousarray(values[None] if "n" in self.layout else values)


def tiles(shape: tuple[int, ...], settings: DetectorSettings) -> Iterator[Window]:
    """The whole picture and, where asked for, overlapping square windows of it."""
    height, width = shape[:2]
    yield slice(0, height), slice(0, width)
    size = settings.tile_px
    if size and (size < height or size < width):
        for top in _starts(height, size, settings.tile_overlap):
            for left in _starts(width, size, settings.tile_overlap):
                yield slice(top, min(top + size, height)), slice(left, min(left + size, width))


def _starts(length: int, size: int, overlap: float) -> list[int]:
    """First pixels of windows that cover `length`; neighbours share at least `overlap`."""
    if size >= length:
        return [0]
    step = max(1, int(size * (1 - overlap)))
    return [*range(0, length - size, step), length - size]


def _axes(sizes: list[int], said: str, listed: str) -> str:
    known = LAYOUTS[len(sizes)]
    if said != "auto":
        if said not in known:
            raise InputError(f"input_layout: {said} does not fit {listed}")
        return said
    fitting = [layout for layout in known if sizes[layout.index("c")] == 3]
    if len(fitting) != 1:
        raise InputError(
            f"input_layout: {listed} does not say which axis holds the colors; say "
            f"input_layout: {' or '.join(known)}"
        )
    return fitting[0]


def _rounded_up(size: int) -> int:
    return -(-size // SIZE_STEP) * SIZE_STEP
