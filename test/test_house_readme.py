"""What the documentation shows is what the code has: parameter tables, links, topics."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def test_the_parameter_tables_are_those_of_the_code(repository: Path) -> None:
    pytest.importorskip("rclpy")
    from cups_ros.parameter_files import readme_tables

    written = (repository / "docs/parameters.md").read_text()
    assert written == readme_tables(), (
        "run: python -m cups_ros.parameter_files table > docs/parameters.md"
    )


def test_the_links_of_the_readme_lead_somewhere(repository: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (repository / "README.md").read_text())
    local = [link for link in links if "://" not in link]
    assert local
    assert not [link for link in local if not (repository / link).is_file()]


def test_the_readme_names_every_topic_of_the_node(repository: Path) -> None:
    pytest.importorskip("rclpy")
    from cups_ros.pseudo_label_node import OUTPUTS

    text = (repository / "README.md").read_text()
    assert OUTPUTS
    assert not [name for name in OUTPUTS if f"`~/{name}`" not in text]
