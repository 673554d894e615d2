"""The YAML file beside an ONNX detector: what its classes are and how it wants its pictures.

The ONNX detector reads it; docs/privacy.md lists the entries.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cups_core.errors import InputError
from cups_core.settings import make_settings, setting
from cups_training.privacy.regions import FACE, PLATE
from cups_training.whole_files import FileError

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class DetectorSettings:
    """The entries of the file that hold one value each."""

    score_threshold: float = setting(
        0.25, "lowest score of a detection; lower hides more", minimum=0.0, maximum=1.0
    )
    nms_overlap: float = setting(
        0.5, "detections of one class with a larger IoU are one", minimum=0.0, maximum=1.0
    )
    input_layout: str = setting(
        "auto",
        "order of the axes; auto: the axis of size 3 says it",
        choices=("auto", "nchw", "nhwc", "chw", "hwc"),
    )
    input_width: int = setting(
        0, "of a model that takes any size, pixels; 0 = the picture's", minimum=0, maximum=8192
    )
    input_height: int = setting(
        0, "of a model that takes any size, pixels; 0 = the picture's", minimum=0, maximum=8192
    )
    input_scale: float = setting(
        0.0, "pixels times this; a model with float input needs it (0.00392157 = 1/255)", minimum=0
    )
    channels: str = setting("rgb", "order of the colors", choices=("rgb", "bgr"))
    resize: str = setting(
        "letterbox",
        "letterbox: the picture keeps its shape, gray fills the rest; stretch: it fills the input",
        choices=("letterbox", "stretch"),
    )
    output_layout: str = setting(
        "auto",
        "rows: x0 y0 x1 y1 score class; separate: boxes, scores and classes; yolo_v8: 4 + classes; "
        "yolo_v5: 5 + classes; auto: by names and shapes",
        choices=("auto", "rows", "separate", "yolo_v8", "yolo_v5"),
    )
    box_form: str = setting(
        "auto",
        "corners: x0 y0 x1 y1; corners_yx: y0 x0 y1 x1; center: x y of the center, width, height; "
        "auto: center for yolo, else corners",
        choices=("auto", "corners", "corners_yx", "center"),
    )
    box_units: str = setting(
        "pixels", "of the input, or shares of its size", choices=("pixels", "shares")
    )
    tile_px: int = setting(
        0,
        "look at square tiles of this size too, so that small ones are found; 0 = no tiles",
        minimum=0,
        maximum=8192,
    )
    tile_overlap: float = setting(
        0.25, "share of a tile that it shares with the next", minimum=0.0, maximum=0.9
    )


@dataclass(frozen=True)
class DetectorDescription:
    """The whole file.

    Attributes:
        names: of the model's classes in its order; empty = the model's own metadata has them.
        kinds: kind of region by name of class; other classes are ignored.
        thresholds: by name of class, where it differs from `score_threshold`.
        mean: taken off each channel after scaling, in the order of the picture (RGB).
        std: what each channel is divided by then.
        outputs: names of the model's outputs for boxes, scores and classes.
        settings: everything else.
    """

    names: tuple[str, ...]
    kinds: Mapping[str, str]
    thresholds: Mapping[str, float]
    mean: Triple
    std: Triple
    outputs: Mapping[str, str]
    settings: DetectorSettings

    @staticmethod
    def read(path: Path) -> DetectorDescription:
        """The description in a file.

        Raises:
            FileError: it is missing or no YAML.
            InputError: an entry is unknown, lacking or does not fit.
        """
        try:
            found = yaml.safe_load(path.read_text())
        except OSError as problem:
            raise FileError(
                f"{path}: cannot be read ({problem.strerror}); a detector needs this file, which "
                f"says what its classes are, at least: kinds: {{face: face}}"
            ) from problem
        except yaml.YAMLError as problem:
            raise FileError(f"{path}: expected YAML, {problem}") from problem
        if not isinstance(found, dict):
            raise InputError(f"{path}: expected entries such as kinds: {{face: face}}")
        try:
            return _parsed(dict(found))
        except InputError as problem:
            raise InputError(f"{path}: {problem}") from problem


def _parsed(entries: dict[str, Any]) -> DetectorDescription:
    names = entries.pop("names", [])
    if not isinstance(names, list):
        raise InputError(f"names: expected a list of all classes in order, found {names!r}")
    kinds = _mapping(entries, "kinds", str)
    if not kinds:
        raise InputError("kinds: expected what to hide, such as {face: face, license_plate: plate}")
    for name, kind in kinds.items():
        if kind not in (FACE, PLATE):
            raise InputError(f"kinds.{name}: expected {FACE} or {PLATE}, found {kind!r}")
    description = DetectorDescription(
        tuple(map(str, names)),
        kinds,
        _mapping(entries, "thresholds", float),
        _triple(entries, "mean", 0.0),
        _triple(entries, "std", 1.0),
        _mapping(entries, "outputs", str),
        make_settings(DetectorSettings, entries),
    )
    if unknown := description.thresholds.keys() - kinds.keys():
        raise InputError(f"thresholds: {sorted(unknown)} are not among kinds {sorted(kinds)}")
    if unknown := description.outputs.keys() - {"boxes", "scores", "classes"}:
        raise InputError(f"outputs: expected boxes, scores and classes, found {sorted(unknown)}")
    return description


def _mapping(entries: dict[str, Any], name: str, kind: type[Any]) -> dict[str, Any]:
    found = entries.pop(name, {})
    if not isinstance(found, dict):
        raise InputError(f"{name}: expected name: value pairs, found {found!r}")
    try:
        return {str(key): kind(value) for key, value in found.items()}
    except (TypeError, ValueError) as problem:
        raise InputError(f"{name}: {problem}") from problem


def _triple(entries: dict[str, Any], name: str, default: float) -> Triple:
    found = entries.pop(name, [default] * 3)
    try:
        red, green, blue = map(float, found)
    except (TypeError, ValueError):
        raise InputError(
            f"{name}: expected three numbers, one per color, found {found!r}"
        ) from None
    return red, green, blue


def hidden_classes(names: tuple[str, ...], description: DetectorDescription) -> dict[int, str]:
    """Name of each class to hide by its number in the model.

    Args:
        names: of the model's classes in its order.
        description: of the detector.

    Raises:
        InputError: a class to hide is not among the names.
    """
    for name in description.kinds:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its classes are {', '.join(names)}"
            raise InputError(f"kinds: the model has no class {name!r}; {hint}")
    return {names.index(name): name for name in description.kinds}
