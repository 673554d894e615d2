"""Why pairs are not kept: name, color and meaning of each reason for people.

Time lines and tables of the overview speak of the reasons of selection with these.
"""

from __future__ import annotations

from typing import NamedTuple

from cups_training.selection.frame_faults import BLURRED, BRIGHT, DARK, REPEATED
from cups_training.selection.pairs import GAP, INTERVAL, STANDING, THINNED

KEPT = "kept"


class Meaning(NamedTuple):
    """How a reason is shown: its color (CSS) and what it says in words."""

    color: str
    text: str


MEANINGS = {
    KEPT: Meaning("var(--kept)", "worth learning from: the frame at t and the next one"),
    STANDING: Meaning("#868e96", "nothing moves, neither the vehicle nor anything that it sees"),
    THINNED: Meaning("#ced4da", "soon after a keyframe, as keyframe_interval_s asks"),
    BLURRED: Meaning("#f08c00", "motion blur or defocus: less sharp than the limit or its time"),
    DARK: Meaning("#7048e8", "hardly any light: most pixels are black"),
    BRIGHT: Meaning("#fcc419", "overexposed: most pixels are white"),
    REPEATED: Meaning("#a9714b", "the camera delivered the same picture twice"),
    INTERVAL: Meaning("#f06595", "the frames are too close or too far apart in time"),
    GAP: Meaning("#e03131", "frames are missing between the two: a new clip begins"),
}
OTHER = Meaning("#20c997", "another reason: see pairs.jsonl")


def meaning(kind: str) -> Meaning:
    """How a reason is shown, also one that selection does not know."""
    return MEANINGS.get(kind, OTHER)


def in_order(kinds: set[str]) -> list[str]:
    """Reasons in the order of this list, others behind."""
    return [kind for kind in MEANINGS if kind in kinds] + sorted(kinds - MEANINGS.keys())
