"""What a harvest keeps of a drive for its budget, beside uniform sampling for the same bytes.

    python -m benchmark.harvest [--suite val] [--frames 40] [--standing 100] [--json]

The drive is a suite of synthetic clips (256x128), with a stop of ten seconds after each in which
nothing moves but the noise. The policy runs offline, on the truth of what moves; each pair counts
as many bytes as a raw one of 640x1280 with its label takes after compression. Uniform sampling
keeps as many bursts of the same length at equal intervals, averaged over where the first one lies.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from benchmark.table import Row, print_rows
from cups_core.frame_quality import measure
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.harvesting.observation import Observation, SeenObject
from cups_core.harvesting.policy import HarvestPolicy, HarvestSettings
from cups_core.settings import make_settings
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings
from cups_training.synthetic.suites import SUITE_NAMES, Clip, suite
from cups_training.synthetic.truth import FrameTruth

WIDTH, HEIGHT, RATE_HZ = 256, 128, 10
# Two raw rgb8 pictures of 640x1280, and what zstd leaves of camera pictures.
PAIR_BYTES = int(2 * 640 * 1280 * 3 * 0.7)
BUDGETS_GB_PER_HOUR = (1.0, 5.0, 20.0)
# A moving object of that share of the picture (a car at 40 m) makes a moving-object frame.
VISIBLE_SHARE = 0.002
NOISE_LEVELS = 1.5
PHASES = 50


@dataclass(frozen=True)
class Frame:
    """A frame of the drive with the moving objects that are large enough to learn from."""

    observation: Observation
    movers: frozenset[tuple[int, int]]


Frames = Mapping[int, Frame]


def drive(clips: Collection[Clip], standing: int) -> Iterator[Frame]:
    """All clips, each followed by a stop."""
    stamp_ns = 0
    for number, clip in enumerate(clips):
        street = SyntheticDrive(clip.settings, clip.seed)
        for index in range(len(street) + standing):
            stamp_ns += NANOSECONDS_PER_SECOND // RATE_HZ
            if index < len(street):
                frame, truth = street.frame_with_truth(index)
                gray = cv2.cvtColor(frame.left, cv2.COLOR_RGB2GRAY)
                objects = moving_objects(truth, number)
            else:
                objects = ()
            noise = np.random.default_rng(stamp_ns).normal(0, NOISE_LEVELS, gray.shape)
            noisy = np.clip(gray + noise, 0, 255).astype(np.uint8)
            yield Frame(
                Observation(stamp_ns, PAIR_BYTES, measure(noisy), objects),
                frozenset(
                    (number, item.track_id) for item in objects if item.area_share >= VISIBLE_SHARE
                ),
            )


def moving_objects(truth: FrameTruth, clip: int) -> tuple[SeenObject, ...]:
    """What moves in a frame, with track ids of its own for each clip."""
    found = []
    for item in truth.objects:
        mask = truth.instance == item.id
        if item.is_moving and mask.any():
            cut = bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())
            speed = float(np.linalg.norm(item.velocity_mps))
            found.append(SeenObject(1000 * clip + item.id, 1.0, float(mask.mean()), speed, cut))
    return tuple(found)


def harvested(frames: Frames, settings: HarvestSettings) -> list[int]:
    """The stamps that the policy keeps."""
    policy = HarvestPolicy(settings)
    kept: list[int] = []
    for frame in frames.values():
        for burst in policy.observe(frame.observation).bursts:
            kept += burst.stamps_ns
            policy.charge(len(burst.stamps_ns) * PAIR_BYTES)
    return kept + [stamp for burst in policy.finish().bursts for stamp in burst.stamps_ns]


def uniform(stamps: list[int], count: int, burst: int, phase: float) -> list[int]:
    """So many stamps in bursts at equal intervals, the first one at a phase of 0 to 1."""
    bursts = max(1, round(count / burst))
    starts = ((np.arange(bursts) + phase) * (len(stamps) - burst) / bursts).astype(int)
    return [stamps[start + place] for start in starts for place in range(burst)][:count]


def row(budget: float, how: str, selections: Sequence[list[int]], frames: Frames) -> Row:
    """The mean figures of selections of one kind."""
    figures = [figures_of(kept, frames) for kept in selections]
    means = {name: float(np.mean([item[name] for item in figures])) for name in figures[0]}
    return {"budget GB/h": budget, "by": how, **means}


def figures_of(kept: Collection[int], frames: Frames) -> dict[str, float]:
    """The figures of one selection."""
    moving = {stamp for stamp, frame in frames.items() if frame.movers}
    movers = set().union(*(frame.movers for frame in frames.values()))
    seen = set().union(*(frames[stamp].movers for stamp in kept))
    hours = len(frames) / RATE_HZ / 3600
    return {
        "pairs": len(kept),
        "spent GB/h": len(kept) * PAIR_BYTES / 1e9 / hours,
        "moving frames kept %": 100 * len(moving & set(kept)) / len(moving),
        "of the kept ones moving %": 100 * len(moving & set(kept)) / max(1, len(kept)),
        "moving objects kept %": 100 * len(seen) / len(movers),
    }


def main() -> None:
    """Make the drive once, then choose from it for each budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=SUITE_NAMES, default="val")
    parser.add_argument("--frames", type=int, default=40, help="of each clip")
    parser.add_argument("--standing", type=int, default=100, help="frames of each stop")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    size = {"width": WIDTH, "height": HEIGHT, "frames": options.frames}
    clips = suite(options.suite, make_settings(DriveSettings, size))
    frames = {frame.observation.stamp_ns: frame for frame in drive(clips, options.standing)}
    unlabelled = {
        stamp: replace(frame, observation=replace(frame.observation, objects=None))
        for stamp, frame in frames.items()
    }
    rows = []
    for budget in BUDGETS_GB_PER_HOUR:
        settings = HarvestSettings(budget_gb_per_hour=budget)
        kept = harvested(frames, settings)
        burst = settings.frames_before + 1 + settings.frames_after
        phases = np.linspace(0, 1, PHASES, endpoint=False)
        uniforms = [uniform(list(frames), len(kept), burst, float(phase)) for phase in phases]
        rows += [
            row(budget, "harvest", [kept], frames),
            row(budget, "harvest, no labels", [harvested(unlabelled, settings)], frames),
            row(budget, "uniform", uniforms, frames),
        ]
    moving = sum(bool(frame.movers) for frame in frames.values())
    print_rows(
        {f"{options.suite}: {len(frames)} frames, {moving} with a moving object": rows},
        options.json,
    )


if __name__ == "__main__":
    main()
