"""Settings as people type them: NAME=VALUE words of a command line, turned into settings.

Every command with a `--set` argument reads it here.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from cups_core.errors import InputError
from cups_core.settings import Setting, SettingValue, make_settings, settings_of

WORDS_FOR_BOOLEANS = {"true": True, "false": False}

Groups = Mapping[str, type[Any]]


def setting_names(groups: Groups) -> str:
    """The names of all settings, for a help text; with their group where two groups have one."""
    return ", ".join(
        name if len(places) == 1 else " ".join(f"{group}.{name}" for group in places)
        for name, places in _places(groups).items()
    )


def split_words(words: Sequence[str]) -> dict[str, str]:
    """Values by name of words such as "crf=true"; the last one wins.

    Raises:
        InputError: a word is not of this form.
    """
    for word in words:
        if "=" not in word:
            raise InputError(f"--set: expected NAME=VALUE, found {word!r}")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def settings_from_words(words: Mapping[str, str], groups: Groups) -> dict[str, Any]:
    """The settings of each group with the given values, all others at their defaults.

    Args:
        words: values by name; the name may be preceded by its group and a dot, and must be where
            several groups have such a setting.
        groups: settings class of each group.

    Raises:
        InputError: an unknown or ambiguous name, or a value that does not fit.
    """
    places = _places(groups)
    values: dict[str, dict[str, SettingValue]] = {group: {} for group in groups}
    for full_name, word in words.items():
        group, name = _find(full_name, places)
        values[group][name] = _typed(places[name][group], word)
    return {group: make_settings(cls, values[group]) for group, cls in groups.items()}


def _places(groups: Groups) -> dict[str, dict[str, Setting]]:
    """The settings of each name by their group."""
    places: dict[str, dict[str, Setting]] = {}
    for group, cls in groups.items():
        for item in settings_of(cls):
            places.setdefault(item.name, {})[group] = item
    return places


def _find(full_name: str, places: Mapping[str, Mapping[str, Setting]]) -> tuple[str, str]:
    group, _, name = full_name.rpartition(".")
    if name not in places or (group and group not in places[name]):
        known = [*places, *(f"{group}.{name}" for name, found in places.items() for group in found)]
        near = difflib.get_close_matches(full_name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(places)}"
        raise InputError(f"unknown setting {full_name!r}: {hint}")
    if not group and len(places[name]) > 1:
        choices = " or ".join(f"{place}.{name}" for place in places[name])
        raise InputError(f"setting {name!r} is ambiguous: say {choices}")
    return group or next(iter(places[name])), name


def _typed(item: Setting, word: str) -> SettingValue:
    kind = type(item.default)
    if kind is bool:
        if word.lower() not in WORDS_FOR_BOOLEANS:
            raise InputError(f"{item.name}: expected true or false, found {word!r}")
        return WORDS_FOR_BOOLEANS[word.lower()]
    try:
        return kind(word)
    except ValueError:
        raise InputError(f"{item.name}: expected {kind.__name__}, found {word!r}") from None
