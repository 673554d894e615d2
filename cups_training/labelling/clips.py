"""Cuts drives into clips: the unit of labelling, the same whoever labels it and however often.

Shards, worker processes and resumed runs all work through the same list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cups_core.errors import InputError


@dataclass(frozen=True)
class Clip:
    """Consecutive frames of a drive.

    Attributes:
        drive: name of the drive.
        first: index of its first frame in the drive.
        stop: index after its last frame.
    """

    drive: str
    first: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.first

    def with_margin(self, frames: int, drive_length: int) -> range:
        """Its frames and up to so many before and after them."""
        return range(max(0, self.first - frames), min(drive_length, self.stop + frames))


def cut_into_clips(length_of: Mapping[str, int], clip_frames: int) -> list[Clip]:
    """All clips of all drives in order; the last one of a drive may be shorter.

    Args:
        length_of: number of frames of each drive.
        clip_frames: number of frames of a clip.
    """
    return [
        Clip(drive, first, min(first + clip_frames, length))
        for drive, length in length_of.items()
        for first in range(0, length, clip_frames)
    ]


def shard_of(clips: Sequence[Clip], shard: str) -> list[Clip]:
    """The part `i/n` of the clips, i from 1: each n-th, so that all parts take equally long.

    Raises:
        InputError: not of the form i/n with 1 <= i <= n.
    """
    number, _, total = shard.partition("/")
    if not (number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total)):
        raise InputError(f"shard: expected i/n with i from 1 to n, such as 2/8, found {shard!r}")
    return list(clips[int(number) - 1 :: int(total)])
