"""Decodes recorded messages; `recording` does so for its callers.

The standard types are known; others are decoded by the definitions that the bag carries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rosbags.serde import SerdeError
from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
)

from cups_core.errors import InputError
from cups_core.recording.messages import Definition, RecordedMessage, Serialization

IDL_SEPARATOR = "=" * 80 + "\n"


class MessageTypes:
    """The message types of a recording."""

    def __init__(self, definitions: Mapping[str, Definition]) -> None:
        self._definitions = definitions
        self._known = get_typestore(Stores.ROS2_KILTED)
        self._defined: dict[str, Any] = {}

    def decoded(self, message: RecordedMessage) -> Any:
        """The message as an object; `data` of an image is a view of the bytes, not a copy.

        Known types have the field names of ROS 2, also where ROS 1 recorded them.

        Raises:
            InputError: the bytes are not a message of the type, or nothing is known of the type.
        """
        store = self._store(message)
        if message.serialization is Serialization.ROS1 and store is self._known:
            return self._call(message, store.deserialize_cdr, self.cdr(message))
        if message.serialization is Serialization.ROS1:
            return self._call(message, store.deserialize_ros1, message.raw)
        return self._call(message, store.deserialize_cdr, message.raw)

    def cdr(self, message: RecordedMessage) -> bytes | memoryview:
        """The message as ROS 2 sends it.

        Raises:
            InputError: the bytes are not a message of the type, or nothing is known of the type.
        """
        if message.serialization is Serialization.CDR:
            return message.raw
        converted: memoryview = self._call(message, self._store(message).ros1_to_cdr, message.raw)
        return converted

    def _call(
        self, message: RecordedMessage, convert: Callable[..., Any], raw: bytes | memoryview
    ) -> Any:
        if message.serialization is Serialization.OTHER:
            raise InputError(
                f"{message.topic}: expected CDR or ROS 1 serialization, found another one: the "
                "topic cannot be used"
            )
        try:
            return convert(raw, message.type_name)
        except (SerdeError, KeyError, AssertionError) as error:
            raise InputError(
                f"{message.topic}: expected a {message.type_name}, found {len(message.raw)} bytes "
                f"that are none ({error}), recorded at {message.recorded_ns} ns: the message is "
                "damaged"
            ) from error

    def _store(self, message: RecordedMessage) -> Any:
        name = message.type_name
        if name in self._known.fielddefs:
            return self._known
        if name not in self._defined:
            self._defined[name] = self._store_of(message)
        return self._defined[name]

    def _store_of(self, message: RecordedMessage) -> Any:
        definition = self._definitions.get(message.type_name)
        if definition is None:
            raise InputError(
                f"{message.topic}: the type {message.type_name} is unknown, and the bag does not "
                "define it: leave the topic out"
            )
        store = get_typestore(Stores.EMPTY)
        try:
            if not definition.is_idl:
                store.register(get_types_from_msg(definition.text, message.type_name))
            for part in definition.text.split(IDL_SEPARATOR) if definition.is_idl else ():
                # Several types in one text stand behind a line that names each.
                text = part.partition("\n")[2] if part.startswith("IDL: ") else part
                store.register(get_types_from_idl(text) if text.strip() else {})
        except (TypesysError, SyntaxError) as error:
            raise InputError(
                f"{message.topic}: the bag's definition of {message.type_name} cannot be read "
                f"({error}): leave the topic out"
            ) from error
        return store
