"""The output layouts of usual detectors: from a model's tensors to boxes and scores per class.

The ONNX detector asks it once which layout a model has, and then for the boxes of every picture.
What names and shapes leave open is an error that says which entry of the YAML file decides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.errors import InputError
from cups_training.privacy.detector_description import DetectorDescription

ROWS, SEPARATE, YOLO_V8, YOLO_V5 = "rows", "separate", "yolo_v8", "yolo_v5"
ROW_LENGTH = 6

# Words in the names that exporters give to outputs.
NAME_PARTS = {
    "boxes": ("box",),
    "scores": ("score", "conf", "prob"),
    "classes": ("label", "class", "cls"),
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tensor:
    """One output of a model as it came out for a blank picture."""

    name: str
    shape: tuple[int, ...]
    is_integer: bool

    def __str__(self) -> str:
        return f"{self.name} {self.shape}{' of integers' if self.is_integer else ''}"


@dataclass(frozen=True)
class OutputLayout:
    """How a model states its detections.

    Attributes:
        kind: `ROWS`, `SEPARATE`, `YOLO_V8` or `YOLO_V5`.
        boxes: name of the output with boxes; of the only one, where all is in one.
        is_batched: whether the outputs have a first axis of size 1 for the picture.
        scores: name of the output with scores (`SEPARATE`).
        classes: name of the output with class numbers (`SEPARATE`); empty where the scores have a
            column for each class, or the model has one class.
    """

    kind: str
    boxes: str
    is_batched: bool
    scores: str = ""
    classes: str = ""

    def __str__(self) -> str:
        if self.kind == SEPARATE:
            outputs = ", ".join(name for name in (self.boxes, self.scores, self.classes) if name)
            return f"{self.kind} ({outputs})"
        return self.kind

    def decode(
        self, outputs: Mapping[str, NDArray[Any]], class_count: int
    ) -> tuple[Floats, Floats]:
        """Boxes as the model states them, (N, 4), and their score for each class, (N, C).

        Raises:
            InputError: a class number or a score is none.
        """
        found = self._of_picture(outputs, self.boxes)
        if self.kind == YOLO_V8:
            found = found.T
        boxes = found[:, :4]
        if self.kind == YOLO_V8:
            scores = found[:, 4:]
        elif self.kind == YOLO_V5:
            scores = found[:, 4:5] * found[:, 5:]
        elif self.kind == ROWS:
            scores = _by_class(found[:, 4], found[:, 5], class_count)
        elif self.classes:
            numbers = self._of_picture(outputs, self.classes)
            scores = _by_class(self._of_picture(outputs, self.scores), numbers, class_count)
        else:
            scores = self._of_picture(outputs, self.scores).reshape(-1, class_count)
        # Not `< or >`: NaN must fail too.
        if scores.size and not (scores.min() >= -1e-3 and scores.max() <= 1 + 1e-3):
            raise InputError(
                f"scores: expected 0 to 1, found {scores.min():.3g} to {scores.max():.3g}; export "
                "the model with its last sigmoid or softmax"
            )
        return boxes, scores

    def _of_picture(self, outputs: Mapping[str, NDArray[Any]], name: str) -> Floats:
        found = np.asarray(outputs[name], np.float64)
        return np.asarray(found[0] if self.is_batched else found)


def find_layout(
    tensors: Sequence[Tensor], class_count: int, description: DetectorDescription
) -> OutputLayout:
    """The layout of a model's outputs.

    Args:
        tensors: its outputs.
        class_count: number of its classes.
        description: its YAML file.

    Raises:
        InputError: no layout fits, or several do.
    """
    wanted = description.settings.output_layout
    candidates = (
        _separate(tensors, class_count, description.outputs)
        if len(tensors) > 1
        else _in_one(tensors[0], class_count)
    )
    found = [layout for layout in candidates if wanted in ("auto", layout.kind)]
    listed = f"outputs {', '.join(map(str, tensors))} of a model with {class_count} classes"
    if not found:
        raise InputError(
            f"{listed}: fit no known layout{'' if wanted == 'auto' else f' {wanted}'}. Known are "
            f"rows (N, {ROW_LENGTH}) of x0 y0 x1 y1 score class; separate boxes (N, 4) and scores "
            f"(N) with classes (N), or scores (N, {class_count}); yolo_v8 (1, {4 + class_count}, "
            f"A); yolo_v5 (1, A, {5 + class_count}). Is names the list of all classes? Else export "
            "the model in one of these layouts"
        )
    if len(found) > 1:
        raise InputError(
            f"{listed}: can be read as {' or as '.join(map(str, found))}; say output_layout: KIND "
            "or outputs: {boxes: NAME, scores: NAME, classes: NAME}"
        )
    return found[0]


def _in_one(tensor: Tensor, class_count: int) -> Iterator[OutputLayout]:
    is_batched = len(tensor.shape) == 3
    if len(tensor.shape) not in (2, 3) or (is_batched and tensor.shape[0] != 1):
        return
    if tensor.shape[-1] == ROW_LENGTH:
        yield OutputLayout(ROWS, tensor.name, is_batched)
    # Only as they are exported: read the other way round, one is the other with one class more.
    if is_batched and tensor.shape[-2] == 4 + class_count:
        yield OutputLayout(YOLO_V8, tensor.name, is_batched)
    if is_batched and tensor.shape[-1] == 5 + class_count:
        yield OutputLayout(YOLO_V5, tensor.name, is_batched)


def _separate(
    tensors: Sequence[Tensor], class_count: int, names: Mapping[str, str]
) -> Iterator[OutputLayout]:
    """Every choice of boxes, scores and classes that shapes, types and names allow."""
    for boxes in _with_role("boxes", names, [t for t in tensors if t.shape[-1:] == (4,)]):
        batch = boxes.shape[:-2]
        if batch not in ((), (1,)):
            continue
        one_each = (*batch, boxes.shape[-2])
        classes = _with_role("classes", names, [t for t in tensors if t.shape == one_each])
        fitting = [t for t in tensors if t.shape in (one_each, (*one_each, class_count))]
        for scores in _with_role("scores", names, [t for t in fitting if not t.is_integer]):
            layout = (SEPARATE, boxes.name, bool(batch), scores.name)
            others = [t for t in classes if t not in (scores, boxes)]
            if len(scores.shape) > len(one_each) or (class_count == 1 and not others):
                if scores != boxes:
                    yield OutputLayout(*layout)
            else:
                for one in others:
                    yield OutputLayout(*layout, one.name)


def _with_role(role: str, names: Mapping[str, str], fitting: list[Tensor]) -> list[Tensor]:
    """Of the fitting tensors the one that the user names, or those whose own name does not object.

    A name that speaks of the role beats one that says nothing; one that speaks of another role is
    out.
    """
    if role in names:
        return [tensor for tensor in fitting if tensor.name == names[role]]
    spoken = {
        tensor: [
            r for r, parts in NAME_PARTS.items() if any(p in tensor.name.lower() for p in parts)
        ]
        for tensor in fitting
    }
    telling = [tensor for tensor in fitting if role in spoken[tensor]]
    return telling or [tensor for tensor in fitting if not spoken[tensor]]


def _by_class(scores: Floats, numbers: Floats, class_count: int) -> Floats:
    """Scores (N,) in the column of their class, (N, C); what fills up a fixed N has score 0."""
    result = np.zeros((len(scores), class_count))
    real = np.flatnonzero(scores != 0)
    classes = np.rint(numbers[real]).astype(np.int64)
    if len(real) and not (classes.min() >= 0 and classes.max() < class_count):
        raise InputError(
            f"classes: expected numbers from 0 to {class_count - 1} as names lists them, found "
            f"{classes.min()} to {classes.max()}; names must list all classes of the model, a "
            "background class too"
        )
    result[real, classes] = scores[real]
    return result
