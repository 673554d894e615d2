from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cups_training import whole_files
from cups_training.whole_files import FileError

PICTURES = st.sampled_from([(np.uint8, ()), (np.uint8, (3,)), (np.uint16, ())]).flatmap(
    lambda kind: arrays.arrays(kind[0], (7, 9, *kind[1]))
)


@settings(max_examples=30)
@given(PICTURES, st.booleans())
def test_pictures_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, picture: np.ndarray, is_map: bool
) -> None:
    path = tmp_path_factory.mktemp("pictures") / "one.png"
    whole_files.write_png(path, picture, is_map=is_map)
    np.testing.assert_array_equal(whole_files.read_picture(path), picture)


def test_a_place_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(FileError, match="cannot be written"):
        whole_files.write_whole(tmp_path / "file" / "x.json", b"{}")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_said_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "labels.json"
    whole_files.write_json(target, {"old": 1})

    monkeypatch.setattr(Path, "open", lambda path, mode: open("/dev/full", mode))  # noqa: SIM115
    with pytest.raises(FileError, match=r"No space left on device.*free some space"):
        whole_files.write_json(target, {"new": 2})
    monkeypatch.undo()
    assert whole_files.read_json(target) == {"old": 1}
    assert len(list(tmp_path.iterdir())) == 1


def test_equal_content_gives_equal_bytes(tmp_path: Path) -> None:
    whole_files.write_json(tmp_path / "a", {"b": 1, "a": [1.5, None]})
    whole_files.write_json(tmp_path / "b", {"a": [1.5, None], "b": 1})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("content", [b"", b"GIF89a nothing", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(FileError, match="expected an image"):
        whole_files.read_picture(tmp_path / "x.png")


def test_a_broken_line_is_named_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "rows").write_text('{"a": 1}\n{"a": \n')
    with pytest.raises(FileError, match="line 2"):
        whole_files.read_json_lines(tmp_path / "rows")
