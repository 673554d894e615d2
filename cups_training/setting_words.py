"""Settings as people type them: NAME=VALUE words of a command line, turned into values.

Every command with a `--set` argument reads it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cups_core.errors import InputError
from cups_core.settings import Setting, SettingValue, settings_of

WORDS_FOR_BOOLEANS = {"true": True, "false": False}


def setting_names(*classes: type[Any]) -> str:
    """The names of all settings of these classes, for a help text."""
    return ", ".join(item.name for cls in classes for item in settings_of(cls))


def split_words(words: Sequence[str]) -> dict[str, str]:
    """Values by name of words such as "crf=true"; the last one wins.

    Raises:
        InputError: a word is not of this form.
    """
    for word in words:
        if "=" not in word:
            raise InputError(f"--set: expected NAME=VALUE, found {word!r}")
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def typed_values(words: Mapping[str, str], *classes: type[Any]) -> list[dict[str, SettingValue]]:
    """The values for each of the settings classes.

    A name that no class knows stays with the first one, whose constructor complains about it.

    Raises:
        InputError: a value is not of the setting's type.
    """
    known = [{item.name: item for item in settings_of(cls)} for cls in classes]
    values: list[dict[str, SettingValue]] = [{} for _ in classes]
    for name, word in words.items():
        place = next((i for i, settings in enumerate(known) if name in settings), 0)
        item = known[place].get(name)
        values[place][name] = _typed(item, word) if item else word
    return values


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
