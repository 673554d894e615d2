"""Settings described once: name, type, default, range and meaning of every knob.

A settings class is a frozen dataclass whose fields are made by `setting`; ROS parameters, YAML
files and the documentation are generated from it, so they cannot disagree.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, TypeVar, cast

from cups_core.errors import InputError

SettingsClass = TypeVar("SettingsClass")
SettingValue = bool | int | float | str


def setting(
    default: SettingValue,
    description: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field with a description and its inclusive range (numbers) or choices (words)."""
    return dataclasses.field(
        default=default,
        metadata={
            "description": description,
            "minimum": minimum,
            "maximum": maximum,
            "choices": choices,
        },
    )


@dataclasses.dataclass(frozen=True)
class Setting:
    """One knob of a settings class as `settings_of` lists it."""

    name: str
    default: SettingValue
    description: str
    minimum: float | None
    maximum: float | None
    choices: tuple[str, ...]

    def check(self, value: SettingValue) -> None:
        """Complain when `value` does not fit.

        Raises:
            InputError: wrong type, out of range or not among the choices.
        """
        expected = type(self.default)
        fits = isinstance(value, expected) and not (
            isinstance(value, bool) and expected is not bool
        )
        if not fits and not (expected is float and type(value) is int):
            raise InputError(
                f"{self.name}: expected {expected.__name__}, found {type(value).__name__} {value!r}"
            )
        if self.choices and value not in self.choices:
            raise InputError(
                f"{self.name}: expected one of {', '.join(self.choices)}, found {value!r}"
            )
        if isinstance(value, int | float):
            if self.minimum is not None and not value >= self.minimum:
                raise InputError(f"{self.name}: expected at least {self.minimum}, found {value}")
            if self.maximum is not None and not value <= self.maximum:
                raise InputError(f"{self.name}: expected at most {self.maximum}, found {value}")


def settings_of(cls: type[Any]) -> tuple[Setting, ...]:
    """The knobs of a settings class in the order of definition."""
    return tuple(
        Setting(field.name, cast("SettingValue", field.default), **field.metadata)
        for field in dataclasses.fields(cls)
    )


def make_settings(cls: type[SettingsClass], values: Mapping[str, SettingValue]) -> SettingsClass:
    """`cls` with the given values, checked; whole numbers are accepted for float settings.

    Raises:
        InputError: an unknown name (with the nearest known one) or a value that does not fit.
    """
    known = {item.name: item for item in settings_of(cls)}
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            raise InputError(f"unknown setting {name!r}: {hint}")
        known[name].check(value)
    return cls(
        **{
            name: float(value) if isinstance(known[name].default, float) else value
            for name, value in values.items()
        }
    )
