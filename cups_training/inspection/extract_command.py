"""The `cups extract` command that makes a dataset of an inspected drive."""

from __future__ import annotations

from pathlib import Path

from cups_training.inspection.drive_facts import DriveFacts

DATASET = "dataset"


def extract_command(facts: DriveFacts, joined: str | None) -> list[str]:
    """The words of the command.

    Args:
        facts: of a drive with a calibrated rig.
        joined: the drive's name, where all bags are one drive.
    """
    rig = facts.rigs[0]
    roles = {role: topic for role, topic in vars(rig.topics).items() if topic is not None}
    bags = [str(bag) for bag in facts.bags]
    return [
        *("cups", "extract", *bags, str(Path(DATASET))),
        *(("--drive", joined) if joined else ()),
        *("--topics", ",".join(f"{role}={topic}" for role, topic in roles.items())),
        *("--tolerance-ms", f"{rig.pairs.tolerance_ms:g}"),
    ]
