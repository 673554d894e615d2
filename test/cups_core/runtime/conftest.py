"""The stand-in machine as a fixture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .stand_in_machine import StandInMachine, stand_in_machine


@pytest.fixture
def machine(
    monkeypatch: pytest.MonkeyPatch, repository: Path, tmp_path: Path
) -> Iterator[StandInMachine]:
    with stand_in_machine(monkeypatch, repository, tmp_path / "cache") as found:
        yield found
