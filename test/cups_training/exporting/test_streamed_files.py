"""JSON that is longer than memory: read element by element, written member by member."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_training.exporting import streamed_files
from cups_training.exporting.streamed_files import read_members, write_array, write_members
from cups_training.whole_files import FileError

SIMPLE = st.none() | st.booleans() | st.integers() | st.text(max_size=6)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


def collected(path: Path) -> dict[str, Any]:
    """Arrays from their elements; members without an element do not show."""
    found: dict[str, Any] = {}
    for key, value in read_members(path):
        found.setdefault(key, []).append(value)
    return found


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5), st.integers(1, 40))
def test_members_come_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], chunk: int
) -> None:
    path = tmp_path_factory.mktemp("json") / "some.json"
    path.write_text(json.dumps(content, indent=chunk % 3))
    before, streamed_files.CHUNK = streamed_files.CHUNK, chunk
    try:
        found = collected(path)
    finally:
        streamed_files.CHUNK = before
    expected = {
        key: value if isinstance(value, list) else [value] for key, value in content.items()
    }
    assert found == {key: value for key, value in expected.items() if value}


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5))
def test_what_is_written_is_json(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("json") / "some.json"
    write_members(path, {k: iter(v) if isinstance(v, list) else v for k, v in content.items()})
    assert json.loads(path.read_text()) == content


@pytest.mark.parametrize(
    "text",
    ["", "[1]", '{"a": [1, 2', '{"a": [1 2]}', '{"a" 1}', '{"a": 1', '{"a": 1.}'],
)
def test_broken_json_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(FileError, match=r"broken\.json"):
        list(read_members(path))


def test_a_file_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    def half() -> Iterator[int]:
        yield 1
        raise KeyError

    with pytest.raises(KeyError):
        write_array(tmp_path / "file.json", half())
    assert not list(tmp_path.iterdir())
