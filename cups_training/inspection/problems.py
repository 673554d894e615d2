"""What is wrong with a recorded drive, in plain sentences with what to do.

`cups inspect` prints them below the facts; the worst come first.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import NamedTuple

from cups_core.recording.stereo_topics import IMAGES
from cups_core.rig_validation import RigFault
from cups_training.inspection.drive_facts import DriveFacts, TopicFacts
from cups_training.inspection.rig_facts import RigFacts
from cups_training.inspection.stamp_statistics import StampStatistics

FEWEST_PAIRED = 0.95
EARLY_END_NS = 1_000_000_000
LARGEST_LAG_NS = 1_000_000_000


class Weight(enum.Enum):
    """How much a problem matters."""

    STOPS = "stops"
    """No dataset can be made."""
    COSTS = "costs"
    """Frames are lost, or the dataset is worse than it could be."""
    NOTE = "note"
    """Good to know."""


class Problem(NamedTuple):
    """One thing that is wrong."""

    weight: Weight
    sentence: str


def problems(facts: DriveFacts) -> list[Problem]:
    """Everything that is wrong, the worst first."""
    found = [*_damages(facts), *_without_rig(facts)]
    if facts.rigs:
        found += _rig(facts.rigs[0])
        for name in (facts.rigs[0].topics.left_image, facts.rigs[0].topics.right_image):
            found += _topic(facts.topics[name], facts)
        found += _others(facts)
    if not facts.is_verified:
        found.append(Problem(Weight.NOTE, "checksums were not verified: --verify reads everything"))
    order = list(Weight)
    return sorted(found, key=lambda problem: order.index(problem.weight))


def can_be_extracted(facts: DriveFacts) -> bool:
    """Whether `cups extract` can make a dataset of it."""
    return all(problem.weight is not Weight.STOPS for problem in problems(facts))


def _damages(facts: DriveFacts) -> Iterator[Problem]:
    for damage in facts.damages:
        weight = Weight.NOTE if damage.messages_lost == 0 else Weight.COSTS
        yield Problem(weight, str(damage))


def _without_rig(facts: DriveFacts) -> Iterator[Problem]:
    if facts.rigs:
        return
    if all(item.topic.count == 0 for item in facts.topics.values()):
        yield Problem(Weight.STOPS, "the recording holds no messages: record it again")
        return
    images = [name for name, item in facts.topics.items() if item.topic.type_name in IMAGES]
    there = f"image topics are {', '.join(images)}" if images else "there are no image topics"
    advice = (
        "name them with --topics left_image=TOPIC,right_image=TOPIC"
        if len(images) > 1
        else "record the images of both cameras"
    )
    yield Problem(
        Weight.STOPS,
        f"no two topics with images look like the left and the right camera's; {there}: {advice}",
    )


def _rig(rig: RigFacts) -> Iterator[Problem]:
    if rig.calibration_trouble:
        yield Problem(Weight.STOPS, rig.calibration_trouble)
    if rig.picture_trouble:
        yield Problem(Weight.STOPS, f"no pair of pictures can be decoded: {rig.picture_trouble}")
    if rig.epipolar is not None and rig.epipolar.fault is RigFault.UNKNOWN:
        yield Problem(Weight.NOTE, f"whether the pictures fit is unknown: {rig.epipolar.verdict}")
    elif rig.epipolar is not None and rig.epipolar.fault is not None:
        yield Problem(Weight.COSTS, f"the pictures do not fit: {rig.epipolar.verdict}")
    pairs = rig.pairs
    if pairs.tolerance_ms is None:
        yield Problem(
            Weight.STOPS,
            f"left and right are never nearer than half a period (median {pairs.median_ms:.1f} "
            "ms): the cameras' clocks differ; trigger both together, or stamp both by one clock",
        )
    elif pairs.paired_share < FEWEST_PAIRED:
        yield Problem(
            Weight.COSTS,
            f"only {pairs.paired_share:.0%} of the images find a partner within "
            f"{pairs.tolerance_ms:g} ms: frames were dropped on one side, or the cameras do not "
            "fire together",
        )
    if pairs.tolerance_ms is not None and pairs.median_ms >= 1.0:
        yield Problem(
            Weight.COSTS,
            f"left and right are {pairs.median_ms:.1f} ms apart (median; right is "
            f"{'later' if pairs.offset_ms > 0 else 'earlier'}): whatever moves has a wrong "
            "disparity; trigger both cameras by hardware",
        )


def _topic(item: TopicFacts, facts: DriveFacts) -> Iterator[Problem]:
    stamps, name = item.stamps, item.topic.name
    if stamps is None:
        return
    if len(item.heads) > 1:
        shown = ", ".join(f"{count} of {head}" for head, count in item.heads.items())
        yield Problem(Weight.COSTS, f"{name}: the images do not stay the same: {shown}")
    yield from _stamps(name, stamps, facts)


def _stamps(name: str, stamps: StampStatistics, facts: DriveFacts) -> Iterator[Problem]:
    def costs(sentence: str) -> Problem:
        return Problem(Weight.COSTS, f"{name}: {sentence}")

    if stamps.zero:
        yield costs(f"{stamps.zero} images without a stamp: the driver must fill header.stamp")
    if stamps.gap_count:
        longest = max(stamps.gaps, key=lambda gap: gap.length_ns)
        yield costs(
            f"{_plural(stamps.gap_count, 'gap')}, the longest {longest.length_ns / 1e9:.2f} s at "
            f"{(longest.after_ns - stamps.first_ns) / 1e9:.1f} s; about "
            f"{_plural(stamps.missing, 'image')} missing: each gap ends a clip; the disk or the "
            "camera could not keep up"
        )
    if stamps.clock_jumps:
        yield costs(
            f"the clock was set back {_plural(stamps.clock_jumps, 'time')}: each time a new clip "
            "begins"
        )
    if stamps.repeated:
        images = _plural(stamps.repeated, "image")
        yield costs(f"{images} with the stamp of the one before: left out")
    if stamps.out_of_order:
        images = _plural(stamps.out_of_order, "image")
        yield costs(f"{images} older than the one before: left out")
    # Against the recorder's clock, which all topics share.
    silence_ns = facts.end_ns - (stamps.last_ns + stamps.lag_ns)
    if silence_ns > max(EARLY_END_NS, 10 * stamps.period_ns):
        yield costs(f"it stops {silence_ns / 1e9:.1f} s before the end of the recording")
    late_ns = (stamps.first_ns + stamps.lag_ns) - facts.start_ns
    if late_ns > max(EARLY_END_NS, 10 * stamps.period_ns) and not stamps.clock_jumps:
        yield costs(f"it begins {late_ns / 1e9:.1f} s after the beginning of the recording")
    if abs(stamps.lag_ns) > LARGEST_LAG_NS:
        way = "before" if stamps.lag_ns > 0 else "after"
        yield Problem(
            Weight.NOTE,
            f"{name}: its stamps lie {abs(stamps.lag_ns) / 1e9:.1f} s {way} the time of recording: "
            "the camera has a clock of its own; the stamps of the headers are used",
        )


def _others(facts: DriveFacts) -> Iterator[Problem]:
    if len(facts.rigs) > 1:
        names = ", ".join(rig.topics.left_image for rig in facts.rigs[1:])
        yield Problem(
            Weight.NOTE, f"other stereo rigs are in it ({names}): --topics chooses one of them"
        )


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
