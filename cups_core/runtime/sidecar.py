"""The YAML file beside a model: what goes in, what comes out, and what the classes are.

The export writes it; every backend and the predictor read it before they touch the model.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cups_core.errors import ModelError

FORMAT = 1
CASCADE, ONE_STAGE = "cascade", "one_stage"
OUTPUTS = {
    CASCADE: ("boxes", "scores", "labels", "masks", "semantic"),
    ONE_STAGE: ("semantic", "centres", "offsets"),
}
"""Names of the outputs of each kind of network; `graph_check` has their shapes."""
PRECISIONS = ("fp32", "fp16", "int8")
SIZE_MULTIPLE = 32
MOST_CLASSES = 254


@dataclass(frozen=True)
class ModelInput:
    """The image that the graph takes: float32 (1, 3, height, width).

    Attributes:
        name: of the graph's input.
        width, height: pixels, multiples of 32.
        mean, std: of red, green and blue, 0 to 255; pixels enter as (value - mean) / std.
    """

    name: str
    width: int
    height: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        for name, value in (("width", self.width), ("height", self.height)):
            if value < SIZE_MULTIPLE or value % SIZE_MULTIPLE:
                raise ModelError(
                    f"input.{name}: expected a multiple of {SIZE_MULTIPLE}, found {value}"
                )
        if min(self.std) <= 0:
            raise ModelError(f"input.std: expected three positive numbers, found {self.std}")


@dataclass(frozen=True)
class ModelClass:
    """One class of the network.

    Attributes:
        id: what the panoptic map calls it, 0 to 65534.
        name: for people.
        is_thing: countable object (True) or stuff.
        color: red, green, blue, 0 to 255.
        is_ignored: what the network finds of it becomes void.
    """

    id: int
    name: str
    is_thing: bool
    color: tuple[int, int, int]
    is_ignored: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.id < 65535:
            raise ModelError(f"class {self.name!r}: expected an id of 0 to 65534, found {self.id}")
        if not (len(self.color) == 3 and all(0 <= value <= 255 for value in self.color)):
            raise ModelError(
                f"class {self.name!r}: expected a color of three numbers 0 to 255, found "
                f"{self.color}"
            )


@dataclass(frozen=True)
class ModelSidecar:
    """What is known of a model.

    Attributes:
        kind: "cascade" or "one_stage".
        input: the image that it takes.
        classes: their order is the network's: the k-th stuff of a cascade is channel k + 1 of its
            semantic logits and its k-th thing label k; channel k of a one-stage network is the
            k-th class.
        thresholds: settings of what makes a panoptic map of the outputs, by name.
        precision: "fp32", "fp16" or "int8".
        sha256: of the model's file, in hexadecimal.
        training: where the weights come from, free words.
        tool_version: of the software that exported it.
        outputs: names of the graph's outputs.
        format: of the sidecar.

    Raises:
        ModelError: a field does not hold what it must.
    """

    kind: str
    input: ModelInput
    classes: tuple[ModelClass, ...]
    thresholds: Mapping[str, Any]
    precision: str
    sha256: str
    training: Mapping[str, Any] = field(default_factory=dict)
    tool_version: str = ""
    outputs: tuple[str, ...] = ()
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.format != FORMAT:
            raise ModelError(
                f"format: expected {FORMAT}, found {self.format!r}: export the model again with "
                "this version of the software"
            )
        _choose("kind", self.kind, OUTPUTS)
        _choose("precision", self.precision, PRECISIONS)
        if not self.outputs:
            object.__setattr__(self, "outputs", OUTPUTS[self.kind])
        if set(self.outputs) != set(OUTPUTS[self.kind]):
            raise ModelError(
                f"outputs: expected {', '.join(OUTPUTS[self.kind])} of a {self.kind} network, "
                f"found {', '.join(self.outputs)}"
            )
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ModelError(f"sha256: expected 64 hexadecimal digits, found {self.sha256!r}")
        self._check_classes()

    @property
    def things(self) -> tuple[ModelClass, ...]:
        """Classes of countable objects, in the network's order."""
        return tuple(item for item in self.classes if item.is_thing)

    @property
    def stuffs(self) -> tuple[ModelClass, ...]:
        """The other classes, in the network's order."""
        return tuple(item for item in self.classes if not item.is_thing)

    def _check_classes(self) -> None:
        ids = [item.id for item in self.classes]
        twice = sorted({number for number in ids if ids.count(number) > 1})
        if twice:
            raise ModelError(f"classes: expected each id once, found {twice} more than once")
        if not 1 <= len(ids) <= MOST_CLASSES:
            raise ModelError(f"classes: expected 1 to {MOST_CLASSES}, found {len(ids)}")


def sidecar_path(model: Path) -> Path:
    """The sidecar's place: beside the model, with its name and the ending .yaml."""
    return model.with_suffix(".yaml")


def read_sidecar(path: Path) -> ModelSidecar:
    """The sidecar in a YAML file.

    Raises:
        ModelError: it is missing, no YAML, or a field does not hold what it must.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise ModelError(
            f"{path}: cannot be read ({problem.strerror}): a model needs its sidecar beside it, "
            "which `cups export-model` writes; copy both files"
        ) from problem
    except (yaml.YAMLError, UnicodeDecodeError) as problem:
        raise ModelError(f"{path}: expected YAML, {problem}") from problem
    try:
        return _parsed(content)
    except ModelError as problem:
        raise ModelError(f"{path}: {problem}") from problem


def write_sidecar(path: Path, sidecar: ModelSidecar) -> None:
    """Write the YAML file that `read_sidecar` reads.

    Raises:
        ModelError: the place cannot be written.
    """
    content = dataclasses.asdict(sidecar)
    ordered = {"format": content.pop("format"), **content}
    text = yaml.safe_dump(_plain(ordered), sort_keys=False, allow_unicode=True, width=100)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise ModelError(f"{path}: cannot be written ({problem.strerror})") from problem


def _parsed(content: object) -> ModelSidecar:
    fields = _fields("sidecar", content, ModelSidecar)
    given = _fields("input", fields["input"], ModelInput)
    given |= {name: _numbers(f"input.{name}", given[name]) for name in ("mean", "std")}
    classes = fields["classes"]
    if not isinstance(classes, Sequence) or isinstance(classes, str):
        raise ModelError(f"classes: expected a list, found {type(classes).__name__}")
    outputs = fields.get("outputs", ())
    if not isinstance(outputs, list | tuple) or not all(isinstance(name, str) for name in outputs):
        raise ModelError(f"outputs: expected a list of names, found {outputs!r}")
    for name in ("thresholds", "training"):
        if not isinstance(fields.get(name, {}), Mapping):
            raise ModelError(f"{name}: expected names with values, found {fields[name]!r}")
    return ModelSidecar(
        **fields
        | {
            "input": ModelInput(**given),
            "classes": tuple(_class(number, item) for number, item in enumerate(classes)),
            "outputs": tuple(outputs),
        }
    )


def _class(number: int, content: object) -> ModelClass:
    fields = _fields(f"classes[{number}]", content, ModelClass)
    color = fields["color"]
    if not isinstance(color, list | tuple) or not all(type(value) is int for value in color):
        raise ModelError(f"classes[{number}].color: expected three whole numbers, found {color!r}")
    return ModelClass(**fields | {"color": tuple(color)})


def _fields(place: str, content: object, cls: type[Any]) -> dict[str, Any]:
    """The fields of a mapping, all of them known, of simple types that fit, none missing."""
    if not isinstance(content, Mapping):
        raise ModelError(f"{place}: expected fields with values, found {type(content).__name__}")
    known = {item.name: item for item in dataclasses.fields(cls)}
    for name, value in content.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise ModelError(f"{place}: unknown field {name!r}: {hint}")
        expected = {"str": str, "int": int, "bool": bool}.get(str(known[name].type))
        if expected and type(value) is not expected:
            raise ModelError(
                f"{place}, {name}: expected {expected.__name__}, found {type(value).__name__} "
                f"{value!r}"
            )
    for name, item in known.items():
        has_default = (
            item.default is not dataclasses.MISSING
            or item.default_factory is not dataclasses.MISSING
        )
        if name not in content and not has_default:
            raise ModelError(f"{place}: {name} is missing")
    return dict(content)


def _numbers(place: str, values: object) -> tuple[float, ...]:
    if (
        not isinstance(values, list | tuple)
        or len(values) != 3
        or not all(isinstance(value, int | float) for value in values)
    ):
        raise ModelError(f"{place}: expected three numbers, found {values!r}")
    return tuple(float(value) for value in values)


def _choose(place: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise ModelError(f"{place}: expected one of {', '.join(choices)}, found {value!r}")


def _plain(value: object) -> object:
    """Lists and dicts, which YAML writes without naming Python."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
