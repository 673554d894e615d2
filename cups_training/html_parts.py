"""Parts that HTML reports share: their style, figures as tiles, tables, pictures within the file.

The demo's report and that of `cups label` are made of them.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path


def page_style() -> str:
    """The style sheet of all reports, for light and dark screens."""
    return (files(__package__) / "page_style.css").read_text()


def tiles(figures: Mapping[str, str]) -> str:
    """Figures in large letters, each with its name below."""
    return "".join(
        f'<div class="tile"><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>'
        for name, value in figures.items()
    )


def table_rows(pairs: Iterable[tuple[str, str]]) -> str:
    """Rows of a table with a name and a value each."""
    return "".join(
        f"<tr><th>{html.escape(name)}</th><td>{html.escape(value)}</td></tr>"
        for name, value in pairs
    )


def base64_of(path: Path) -> str:
    """The content of a file as a data URL holds it."""
    return base64.b64encode(path.read_bytes()).decode("ascii")
