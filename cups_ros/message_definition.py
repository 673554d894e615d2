"""The text of a message's definition, made from its Python class; a bag carries it for its readers.

The harvest bag writes one per type. The class knows every field, so no definition files are looked
for, which pip and a ROS distribution keep in different places.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from typing import Any

SEPARATOR = "=" * 80
# The names of the interface definition language and those of .msg files, where they differ.
MSG_NAMES = {"boolean": "bool", "octet": "byte", "float": "float32", "double": "float64"}
SEQUENCE = re.compile(r"sequence<(?P<item>.+?)(?:, (?P<limit>\d+))?>")
ARRAY = re.compile(r"(?P<item>[^\[\]]+)(?P<size>\[\d+\])")
BOUNDED_STRING = re.compile(r"(?P<kind>w?string)<(?P<limit>\d+)>")


def type_name(message_type: type[Any]) -> str:
    """The full name of a message type, such as `sensor_msgs/msg/Image`."""
    package = message_type.__module__.partition(".")[0]
    return f"{package}/msg/{message_type.__name__}"


def message_definition(message_type: type[Any]) -> str:
    """The definition in the format `ros2msg`: the fields, then those of each type within.

    Comments, constants and defaults, which no reader of data needs, are not part of it.
    """
    parts = [_fields(message_type)]
    told = {type_name(message_type)}
    waiting = list(_nested(message_type))
    while waiting:
        nested = waiting.pop(0)
        if type_name(nested) not in told:
            told.add(type_name(nested))
            parts.append(f"MSG: {type_name(nested).replace('/msg/', '/')}\n{_fields(nested)}")
            waiting += _nested(nested)
    return f"{SEPARATOR}\n".join(parts)


def _fields(message_type: type[Any]) -> str:
    fields = message_type.get_fields_and_field_types()
    return "".join(f"{_msg_name(kind)} {name}\n" for name, kind in fields.items())


def _nested(message_type: type[Any]) -> Iterator[type[Any]]:
    for kind in message_type.get_fields_and_field_types().values():
        item = _item(kind)
        if "/" in item:
            package, _, name = item.partition("/")
            yield getattr(importlib.import_module(f"{package}.msg"), name)


def _item(kind: str) -> str:
    """What a sequence or an array holds; the kind itself where it is neither."""
    found = SEQUENCE.fullmatch(kind) or ARRAY.fullmatch(kind)
    return found["item"] if found else kind


def _msg_name(kind: str) -> str:
    if found := SEQUENCE.fullmatch(kind):
        limit = f"<={found['limit']}" if found["limit"] else ""
        return f"{_msg_name(found['item'])}[{limit}]"
    if found := ARRAY.fullmatch(kind):
        return _msg_name(found["item"]) + found["size"]
    if found := BOUNDED_STRING.fullmatch(kind):
        return f"{found['kind']}<={found['limit']}"
    return MSG_NAMES.get(kind, kind)
