"""The rules of the house as tests: linters, types, import rings, module size, names, versions."""

from __future__ import annotations

import configparser
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

PACKAGES = ("cups_core", "cups_ros", "cups_training")
LONGEST_MODULE = 400
NAMES_THAT_SAY_NOTHING = {"utils", "util", "helpers", "helper", "misc", "common", "tools"}


def tool(name: str) -> str:
    """A command of the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["lint-imports"],
        ["codespell"],
    ],
    ids=" ".join,
)
def test_the_checkers_are_content(command: list[str], repository: Path) -> None:
    found = subprocess.run(
        [tool(command[0]), *command[1:]],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-5000:] + found.stderr[-5000:]


def modules(repository: Path) -> list[Path]:
    return [path for package in PACKAGES for path in sorted((repository / package).rglob("*.py"))]


def test_no_module_is_too_long_or_named_after_nothing(repository: Path) -> None:
    found = modules(repository)
    assert len(found) > 10
    too_long = {
        str(path.relative_to(repository)): lines
        for path in found
        if (lines := len(path.read_text().splitlines())) > LONGEST_MODULE
    }
    assert not too_long
    assert not [path for path in found if NAMES_THAT_SAY_NOTHING & {path.stem, path.parent.name}]


def test_every_module_with_annotations_postpones_them(repository: Path) -> None:
    lacking = [
        str(path.relative_to(repository))
        for path in modules(repository)
        if "def " in (text := path.read_text()) and "from __future__ import annotations" not in text
    ]
    assert not lacking


def test_both_packages_carry_one_version_and_one_maintainer(repository: Path) -> None:
    setup = configparser.RawConfigParser()
    setup.read(repository / "setup.cfg")
    manifests = [
        ElementTree.parse(repository / place / "package.xml").getroot() for place in (".", "msg")
    ]
    assert {manifest.findtext("version") for manifest in manifests} == {
        setup["metadata"]["version"]
    }
    assert {manifest.findtext("license") for manifest in manifests} == {
        setup["metadata"]["license"]
    }
    assert {manifest.find("maintainer").get("email") for manifest in manifests} == {  # type: ignore[union-attr]
        setup["metadata"]["maintainer_email"]
    }
