from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_training.dataset.splits import TRAIN, VAL, assigned, groups_of, read_splits, write_splits
from cups_training.whole_files import FileError

names = st.integers(0, 99).map(str)
drives = st.dictionaries(names, st.integers(1, 500), min_size=1, max_size=12)


def alone(frames_of: dict[str, int]) -> list[list[str]]:
    return [[name] for name in sorted(frames_of)]


@given(drives, st.floats(0, 1))
def test_every_drive_gets_one_split_and_validation_not_more_than_its_share(
    frames_of: dict[str, int], share: float
) -> None:
    split_of = assigned(alone(frames_of), frames_of, {}, share)
    assert split_of.keys() == frames_of.keys()
    val = [name for name, split in split_of.items() if split == VAL]
    fits = sum(frames_of[name] for name in val) <= share * sum(frames_of.values())
    # Where nothing fits, the smallest drive is better than none.
    assert fits or (len(val) == 1 and frames_of[val[0]] == min(frames_of.values()))


@given(drives, drives)
def test_drives_keep_their_split_when_others_are_added(
    before: dict[str, int], added: dict[str, int]
) -> None:
    known = assigned(alone(before), before, {}, 0.2)
    frames_of = {**added, **before}
    now = assigned(alone(frames_of), frames_of, known, 0.2)
    assert {name: now[name] for name in known} == known


@given(drives)
def test_related_drives_are_never_divided(frames_of: dict[str, int]) -> None:
    names = sorted(frames_of)
    groups = groups_of(names, zip(names[::2], names[1::2], strict=False))
    split_of = assigned(groups, frames_of, {}, 0.3)
    for group in groups:
        assert len({split_of[name] for name in group}) == 1


def test_links_join_across_others() -> None:
    assert groups_of("abcd", [("a", "b"), ("d", "b")]) == [["a", "b", "d"], ["c"]]


def test_a_single_drive_is_for_training() -> None:
    assert assigned([["a"]], {"a": 100}, {}, 0.2) == {"a": TRAIN}


def test_no_share_means_no_validation() -> None:
    assert set(assigned(alone({"a": 1, "b": 1}), {"a": 1, "b": 1}, {}, 0.0).values()) == {TRAIN}


def test_splits_come_back_as_they_were_written(tmp_path: Path) -> None:
    split_of = {"a": TRAIN, "b": VAL, "c": TRAIN}
    write_splits(tmp_path, split_of)
    assert (tmp_path / "splits/train.txt").read_text() == "a\nc\n"
    assert read_splits(tmp_path) == split_of


def test_a_drive_in_two_splits_is_refused(tmp_path: Path) -> None:
    write_splits(tmp_path, {"a": TRAIN})
    (tmp_path / "splits/val.txt").write_text("a\n")
    with pytest.raises(FileError, match="found a in both"):
        read_splits(tmp_path)
