"""ROS parameters, the YAML file and the table say the same as the settings classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from rclpy.parameter import Parameter

from cups_core.errors import InputError
from cups_core.installed_files import installed_file
from cups_core.settings import setting, settings_of
from cups_ros.parameter_files import NODES, VEHICLE_NODES, perception_yaml, readme_tables
from cups_ros.parameters import declare, parameter_table, parameter_yaml, read


@dataclass(frozen=True)
class Knobs:
    """One of each kind."""

    gain: float = setting(10.0, "gain of the loop", minimum=0.0)
    count: int = setting(3, "how many", minimum=1, maximum=9)
    mode: str = setting("fast", "which way", choices=("fast", "full"))
    loud: bool = setting(False, "whether to tell")


GROUPS = {"tool.": Knobs}


def test_defaults_come_back_as_declared(tester: Any) -> None:
    declare(tester.node, GROUPS)
    assert read(tester.node, "tool.", Knobs) == Knobs()


def test_describe_tells_meaning_and_range(tester: Any) -> None:
    declare(tester.node, GROUPS)
    count = tester.node.describe_parameter("tool.count")
    assert count.description == "how many"
    assert (count.integer_range[0].from_value, count.integer_range[0].to_value) == (1, 9)
    assert tester.node.describe_parameter("tool.gain").floating_point_range[0].from_value == 0.0
    assert tester.node.describe_parameter("tool.mode").additional_constraints == "one of fast, full"


@pytest.mark.parametrize(("name", "value"), [("count", 10), ("gain", -0.5), ("gain", 3)])
def test_ros_refuses_what_is_out_of_range_or_of_another_type(
    tester: Any, name: str, value: Any
) -> None:
    declare(tester.node, GROUPS)
    (result,) = tester.node.set_parameters([Parameter(f"tool.{name}", value=value)])
    assert not result.successful
    assert read(tester.node, "tool.", Knobs) == Knobs()


def test_a_word_that_is_no_choice_is_refused_on_reading(tester: Any) -> None:
    declare(tester.node, GROUPS)
    tester.node.set_parameters([Parameter("tool.mode", value="slow")])
    with pytest.raises(InputError, match="mode: expected one of fast, full, found 'slow'"):
        read(tester.node, "tool.", Knobs)


def test_the_yaml_holds_every_default_with_its_type() -> None:
    (content,) = yaml.safe_load(parameter_yaml("node", GROUPS)).values()
    found = content["ros__parameters"]["tool"]
    assert found == {"gain": 10.0, "count": 3, "mode": "fast", "loud": False}
    assert [type(value) for value in found.values()] == [float, int, str, bool]


def test_the_table_has_a_row_per_setting() -> None:
    table = parameter_table(GROUPS)
    assert "| `tool.count` | `3` | 1 to 9 | how many |" in table
    assert "| `tool.gain` | `10.0` | at least 0 | gain of the loop |" in table


def test_the_shipped_file_is_what_the_classes_say() -> None:
    shipped = installed_file("config/perception.yaml").read_text()
    assert shipped == perception_yaml(), "run: python -m cups_ros.parameter_files yaml"


def test_every_node_is_in_the_tables() -> None:
    tables = readme_tables()
    for groups in NODES.values():
        for prefix, cls in groups.items():
            assert all(f"| `{prefix}{item.name}` |" in tables for item in settings_of(cls))
    assert set(VEHICLE_NODES) < set(NODES)
