"""Finds the formats: every file of `formats/` that holds a `Format`, under the name of the file.

The command asks it; nothing has to be entered anywhere.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from cups_training.exporting import formats
from cups_training.exporting.format import Format


def all_formats() -> dict[str, type[Format[Any]]]:
    """The class of each format by its name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(formats.__path__))
    return {name.replace("_", "-"): _format_of(f"{formats.__name__}.{name}") for name in names}


def _format_of(module: str) -> type[Format[Any]]:
    loaded = importlib.import_module(module)
    (found,) = (
        one
        for one in vars(loaded).values()
        if isinstance(one, type) and issubclass(one, Format) and one.__module__ == module
    )
    return found
