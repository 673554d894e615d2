"""Does every frame of a dataset belong to one clip of one shard, and every track to one object?"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cups_core.errors import InputError
from cups_training.labelling.clips import cut_into_clips, shard_of
from cups_training.labelling.track_joining import overlapping

LENGTHS = st.lists(st.integers(0, 40), max_size=5)


@given(LENGTHS, st.integers(1, 12), st.integers(1, 7))
def test_the_shards_hold_every_frame_of_every_drive_once(
    lengths: list[int], clip_frames: int, shards: int
) -> None:
    length_of = {f"d{number}": frames for number, frames in enumerate(lengths)}
    clips = cut_into_clips(length_of, clip_frames)
    parts = [shard_of(clips, f"{number}/{shards}") for number in range(1, shards + 1)]
    frames = sorted(
        (clip.drive, index)
        for part in parts
        for clip in part
        for index in range(clip.first, clip.stop)
    )
    assert frames == [(name, index) for name in length_of for index in range(length_of[name])]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 9))
def test_a_margin_stays_within_the_drive(frames: int, clip_frames: int, margin: int) -> None:
    for clip in cut_into_clips({"d": frames}, clip_frames):
        seen = clip.with_margin(margin, frames)
        assert seen.start == max(0, clip.first - margin)
        assert seen.stop == min(frames, clip.stop + margin)
        assert len(clip) <= clip_frames


@pytest.mark.parametrize("shard", ["", "1", "0/2", "3/2", "-1/2", "a/b", "1/2/3", "1.0/2"])
def test_a_shard_that_is_none_is_refused(shard: str) -> None:
    with pytest.raises(InputError, match="expected i/n"):
        shard_of([], shard)


@given(st.integers(0, 2**32 - 1))
def test_masks_that_overlap_by_more_than_half_are_one_object(seed: int) -> None:
    random = np.random.default_rng(seed)
    first = random.integers(0, 3, (5, 6))
    second = np.where(random.random((5, 6)) < 0.7, first, random.integers(0, 3, (5, 6)))
    found = overlapping(first, second)
    for one in (1, 2):
        matches = [
            other
            for other in (1, 2)
            if 2 * ((first == one) & (second == other)).sum()
            > ((first == one) | (second == other)).sum()
        ]
        assert found.get(one) == (matches[0] if matches else None)
    assert len(set(found.values())) == len(found)
