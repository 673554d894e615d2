from __future__ import annotations

from dataclasses import dataclass

import pytest

from cups_core.errors import InputError
from cups_core.settings import SettingValue, make_settings, setting, settings_of


@dataclass(frozen=True)
class Engine:
    power: float = setting(1.5, "How strong, kW", minimum=0.0, maximum=10.0)
    cylinders: int = setting(4, "How many", minimum=1)
    fuel: str = setting("diesel", "What it burns", choices=("diesel", "petrol"))
    is_running: bool = setting(False, "Whether it runs")


def test_settings_are_listed_in_order_with_all_that_is_known_of_them() -> None:
    power, cylinders, fuel, is_running = settings_of(Engine)
    assert (power.name, power.default, power.minimum, power.maximum) == ("power", 1.5, 0.0, 10.0)
    assert cylinders.description == "How many"
    assert fuel.choices == ("diesel", "petrol")
    assert is_running.default is False


def test_given_values_replace_defaults_and_whole_numbers_become_floats() -> None:
    made = make_settings(Engine, {"power": 3, "fuel": "petrol"})
    assert made == Engine(power=3.0, fuel="petrol")
    assert isinstance(made.power, float)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("powr", 1.0, "did you mean 'power'"),
        ("zzz", 1.0, "known are power, cylinders, fuel, is_running"),
        ("power", -0.1, "at least 0.0, found -0.1"),
        ("power", 10.1, "at most 10.0, found 10.1"),
        ("power", float("nan"), "at least 0.0, found nan"),
        ("power", "strong", "expected float, found str"),
        ("cylinders", 4.0, "expected int, found float"),
        # A bool is an int to Python, not to a person.
        ("cylinders", True, "expected int, found bool"),
        ("power", True, "expected float, found bool"),
        ("is_running", 1, "expected bool, found int"),
        ("fuel", "coal", "one of diesel, petrol, found 'coal'"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_name(
    name: str, value: SettingValue, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        make_settings(Engine, {name: value})


@pytest.mark.parametrize("value", [0.0, 10.0])
def test_the_bounds_themselves_are_allowed(value: float) -> None:
    assert make_settings(Engine, {"power": value}).power == value
