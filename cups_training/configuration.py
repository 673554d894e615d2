"""What a folder was made with against what is asked for now, and where the two differ.

Whatever may be resumed compares its description with the one that it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def differences(before: Any, now: Any, name: str = "") -> Iterator[str]:
    """One clause for each value that differs between two JSON contents, such as "size = a, now b".

    Args:
        before: what was found.
        now: what is asked for.
        name: of the whole; values inside are named by their path, with dots.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            path = f"{name}.{key}" if name else str(key)
            yield from differences(before.get(key), now.get(key), path)
    elif before != now:
        yield f"{name} = {before} there, {now} now"
