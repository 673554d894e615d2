"""What a person should know first of a dataset: what is wrong, and what deserves a look.

The overview opens with it, and the command's exit does not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cups_training.overview.drive_facts import DriveFacts
from cups_training.overview.reasons import KEPT
from cups_training.overview.samples import NO_LOOK, Look

MUCH_LOST = 0.02
FEW_KEPT = 0.5


@dataclass(frozen=True)
class Concern:
    """One thing to know.

    Attributes:
        is_wrong: it makes a drive useless as it is; otherwise it only deserves a look.
        drive: name of the drive; empty where it concerns several.
        text: a sentence.
    """

    is_wrong: bool
    drive: str
    text: str


def concerns(
    drives: Sequence[DriveFacts],
    looks: Mapping[str, Look],
    manifest: Mapping[str, Any],
) -> list[Concern]:
    """All there is to say, what is wrong first."""
    found = [
        Concern(
            True,
            "",
            f"{' and '.join(leak['drives'])} are in different splits and show the same: "
            f"{leak['found']}",
        )
        for leak in manifest.get("leaks", [])
    ]
    for facts in drives:
        found += _of_drive(facts, looks.get(facts.name, NO_LOOK))
    return sorted(found, key=lambda concern: not concern.is_wrong)


def _of_drive(facts: DriveFacts, look: Look) -> list[Concern]:
    found = []
    complaints = [sample.complaint for sample in look.samples if sample.complaint]
    if look.rig_complaint:
        found.append(Concern(True, facts.name, look.rig_complaint))
    elif complaints:
        text = f"{complaints[0]} ({len(complaints)} of {len(look.samples)} frames looked at)"
        # A bus may fill one frame; a rig is wrong in most.
        found.append(Concern(2 * len(complaints) > len(look.samples), facts.name, text))
    kinds = facts.kinds
    if facts.pairs and not kinds[KEPT]:
        found.append(Concern(True, facts.name, "no pair is kept: nothing can be learned from it"))
    elif facts.pairs and kinds[KEPT] < FEW_KEPT * len(facts.pairs):
        reason, count = max(
            ((kind, count) for kind, count in kinds.items() if kind != KEPT),
            key=lambda item: (item[1], item[0]),
        )
        share = 1 - kinds[KEPT] / len(facts.pairs)
        found.append(
            Concern(
                False,
                facts.name,
                f"{share:.0%} of the pairs are dropped, most of them as {reason} ({count})",
            )
        )
    lost = sum(facts.lost.values())
    if lost > MUCH_LOST * (lost + len(facts.drive)):
        most = max(facts.lost.items(), key=lambda item: (item[1], item[0]))
        found.append(
            Concern(
                False,
                facts.name,
                f"{lost} recorded pictures did not become a frame, most of them: {most[0]}",
            )
        )
    found += [Concern(False, facts.name, note) for note in facts.provenance.get("notes", [])]
    return found
