"""The facts of an inspected drive as JSON, for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cups_training.inspection.drive_facts import DriveFacts, TopicFacts
from cups_training.inspection.extract_command import extract_command
from cups_training.inspection.pair_statistics import BINS_MS
from cups_training.inspection.problems import can_be_extracted, problems
from cups_training.inspection.rig_facts import RigFacts


def as_row(facts: DriveFacts, joined: str | None) -> dict[str, Any]:
    """Everything that is known; `joined` is the name under which all bags are one drive."""
    is_extractable = can_be_extracted(facts)
    return {
        "drive": facts.name,
        "bags": [str(bag) for bag in facts.bags],
        "files": [{"path": str(item.path), "bytes": item.size} for item in facts.sources],
        "start_ns": facts.start_ns,
        "end_ns": facts.end_ns,
        "checksums_verified": facts.is_verified,
        "topics": [_topic(item) for item in facts.topics.values()],
        "rigs": [_rig(rig) for rig in facts.rigs],
        "damages": [{**asdict(damage), "file": str(damage.file)} for damage in facts.damages],
        "problems": [
            {"weight": problem.weight.value, "sentence": problem.sentence}
            for problem in problems(facts)
        ],
        "can_be_extracted": is_extractable,
        "command": extract_command(facts, joined) if is_extractable else None,
    }


def _topic(item: TopicFacts) -> dict[str, Any]:
    stamps = None
    if item.stamps is not None:
        stamps = asdict(item.stamps)
        stamps["gaps"] = [gap._asdict() for gap in item.stamps.gaps]
    return {
        **asdict(item.topic),
        "rate_hz": round(item.rate_hz, 3),
        "stamps": stamps,
        "images": [{**head._asdict(), "count": count} for head, count in item.heads.items()],
    }


def _rig(rig: RigFacts) -> dict[str, Any]:
    calibration: dict[str, Any] | None = None
    if rig.cameras is not None:
        calibration = {
            "left": rig.cameras[0].row(),
            "right": rig.cameras[1].row(),
        }
        if rig.rectification is not None:
            made = rig.rectification.rig
            calibration |= {"rectified_K": made.K.tolist(), "baseline_m": made.baseline_m}
    return {
        "topics": vars(rig.topics),
        "is_rectified": rig.is_rectified,
        "calibration": calibration,
        "calibration_trouble": rig.calibration_trouble or None,
        "picture": rig.picture or None,
        "picture_trouble": rig.picture_trouble or None,
        "pairs": {
            **asdict(rig.pairs),
            "paired_share": round(rig.pairs.paired_share, 6),
            "histogram_ms": list(BINS_MS),
        },
        "epipolar": None if rig.epipolar is None else rig.epipolar.row(),
        "verdict": None if rig.epipolar is None else rig.epipolar.verdict,
    }
