"""ROS parameters made from settings classes: declared with range, read checked, written as YAML.

The nodes declare and read with it and `parameter_files` writes with it, so that code, files and
documentation cannot disagree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from cups_core.errors import InputError
from cups_core.settings import Setting, make_settings, settings_of

SettingsClass = TypeVar("SettingsClass")
# Prefix of the parameter names ("" = none) -> the settings class.
Groups = Mapping[str, type[Any]]

LARGEST = {int: 2**63 - 1, float: 1.7976931348623157e308}


def declare(node: Node, groups: Groups) -> None:
    """Declare all settings of the groups as parameters of the node.

    Raises:
        InputError: the value of the parameter file or the command line has another type or is out
            of range.
    """
    for prefix, cls in groups.items():
        for item in settings_of(cls):
            try:
                node.declare_parameter(prefix + item.name, item.default, _descriptor(item))
            except (InvalidParameterValueException, InvalidParameterTypeException) as error:
                raise InputError(
                    f"{error}: correct the parameter file or the -p argument"
                ) from error


def read(node: Node, prefix: str, cls: type[SettingsClass]) -> SettingsClass:
    """The settings as the parameters of the node say now.

    Raises:
        InputError: a word that is not among the choices.
    """
    return make_settings(
        cls, {item.name: node.get_parameter(prefix + item.name).value for item in settings_of(cls)}
    )


def parameter_yaml(node_name: str, groups: Groups) -> str:
    """The parameter file with all defaults and their meaning."""
    lines = [f"/**/{node_name}:", "  ros__parameters:"]
    for prefix, cls in groups.items():
        indent = "    "
        if prefix:
            lines += ["", f"    {prefix.rstrip('.')}:"]
            indent += "  "
        for item in settings_of(cls):
            lines += [
                "",
                f"{indent}# {_sentence(item)}",
                f"{indent}{item.name}: {_yaml_value(item.default)}",
            ]
    return "\n".join(lines) + "\n"


def parameter_table(groups: Groups) -> str:
    """The same as a Markdown table."""
    lines = ["| parameter | default | range | meaning |", "|---|---|---|---|"]
    lines += [
        f"| `{prefix}{item.name}` | `{_yaml_value(item.default)}` | {_range(item)} | "
        f"{item.description} |"
        for prefix, cls in groups.items()
        for item in settings_of(cls)
    ]
    return "\n".join(lines) + "\n"


def _descriptor(item: Setting) -> ParameterDescriptor:
    # The nodes read their parameters when they are configured; changing one needs another configure
    # transition.
    descriptor = ParameterDescriptor(
        name=item.name,
        description=item.description,
        additional_constraints=f"one of {', '.join(item.choices)}" if item.choices else "",
    )
    bounded = item.minimum is not None or item.maximum is not None
    if bounded and type(item.default) is int:
        low, high = _bounds(item, int)
        descriptor.integer_range = [IntegerRange(from_value=low, to_value=high, step=0)]
    elif bounded and type(item.default) is float:
        low, high = _bounds(item, float)
        descriptor.floating_point_range = [
            FloatingPointRange(from_value=low, to_value=high, step=0.0)
        ]
    return descriptor


def _bounds(item: Setting, kind: type[Any]) -> tuple[Any, Any]:
    low = -LARGEST[kind] if item.minimum is None else item.minimum
    high = LARGEST[kind] if item.maximum is None else item.maximum
    return kind(low), kind(high)


def _range(item: Setting) -> str:
    if item.choices:
        return ", ".join(f"`{choice}`" for choice in item.choices)
    if item.minimum is not None and item.maximum is not None:
        return f"{item.minimum:g} to {item.maximum:g}"
    if item.minimum is not None:
        return f"at least {item.minimum:g}"
    return "" if item.maximum is None else f"at most {item.maximum:g}"


def _sentence(item: Setting) -> str:
    limits = _range(item).replace("`", "")
    return f"{item.description} ({limits})" if limits else item.description


def _yaml_value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    # ROS takes 10 for a whole number and refuses it for a float parameter: repr writes 10.0.
    return repr(value)
