"""Are settings that people type understood, or is it said what they may have meant?"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cups_core.errors import InputError
from cups_core.settings import setting
from cups_training.setting_words import setting_names, settings_from_words, split_words


@dataclass(frozen=True)
class Engine:
    """One group."""

    power: float = setting(1.0, "in kilowatts", minimum=0.0)
    rounds: int = setting(3, "how many")
    is_loud: bool = setting(False, "whether one hears it")


@dataclass(frozen=True)
class Race:
    """Another group, with one name in common."""

    rounds: int = setting(5, "how many", maximum=9)
    track: str = setting("wet", "its state", choices=("wet", "dry"))


GROUPS = {"engine": Engine, "race": Race}


def test_values_take_the_type_of_their_setting() -> None:
    words = split_words(["power=2", "is_loud=True", "track=dry", "engine.rounds=4", "power=2.5"])
    found = settings_from_words(words, GROUPS)
    assert found == {"engine": Engine(2.5, 4, True), "race": Race(5, "dry")}


def test_without_words_all_is_at_its_default() -> None:
    assert settings_from_words({}, GROUPS) == {"engine": Engine(), "race": Race()}


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("power", "expected NAME=VALUE"),
        ("pover=1", "did you mean 'power'"),
        ("race.power=1", "unknown setting 'race.power'"),
        ("rounds=1", "say engine.rounds or race.rounds"),
        ("race.rounds=10", "rounds: expected at most 9, found 10"),
        ("race.rounds=1.5", "rounds: expected int, found '1.5'"),
        ("is_loud=yes", "is_loud: expected true or false"),
        ("track=icy", "track: expected one of wet, dry"),
    ],
)
def test_what_makes_no_sense_is_named(word: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        settings_from_words(split_words([word]), GROUPS)


def test_a_name_that_two_groups_have_is_listed_with_both() -> None:
    assert setting_names(GROUPS) == "power, engine.rounds race.rounds, is_loud, track"
