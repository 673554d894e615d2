from __future__ import annotations

from pathlib import Path

import pytest

from cups_core.errors import CupsError
from cups_core.installed_files import installed_file


def test_a_checkout_finds_its_own_files(repository: Path) -> None:
    assert installed_file("package.xml").parent == repository


def test_a_file_that_is_nowhere_is_named_with_the_places() -> None:
    with pytest.raises(CupsError, match=r"config/no\.yaml: expected in .* share/cups_ros"):
        installed_file("config/no.yaml")
