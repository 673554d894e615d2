"""Named suites of drives that share no seed: tune on `train` and `val`, judge on `test`.

Benchmarks, training and the command line ask for a suite by name.
"""

from __future__ import annotations

import dataclasses

from cups_core.errors import InputError
from cups_training.synthetic.settings import DriveSettings

_SUITES = {"train": (100_000, 64), "val": (200_000, 16), "test": (300_000, 16)}
"""First seed and number of drives of each suite."""

SUITE_NAMES = tuple(_SUITES)


@dataclasses.dataclass(frozen=True)
class Clip:
    """One drive of a suite.

    Attributes:
        seed: of the drive.
        settings: of the drive.
        scenario: usual, all_static (nothing moves) or ego_stopped (the camera stands).
    """

    seed: int
    settings: DriveSettings
    scenario: str


def suite(name: str, base: DriveSettings | None = None) -> tuple[Clip, ...]:
    """The drives of a suite; of each eight one is all static and one is seen from a standing car.

    Args:
        name: train, val or test.
        base: size, length and difficulty of every drive; None = the default ones.

    Raises:
        InputError: there is no such suite.
    """
    if name not in _SUITES:
        raise InputError(f"suite: expected one of {', '.join(SUITE_NAMES)}, found {name!r}")
    first, count = _SUITES[name]
    settings = base or DriveSettings()
    clips = []
    for number in range(count):
        scenario = {3: "all_static", 6: "ego_stopped"}.get(number % 8, "usual")
        changed = settings
        if scenario == "all_static":
            changed = dataclasses.replace(settings, traffic=0.0)
        elif scenario == "ego_stopped":
            changed = dataclasses.replace(settings, ego_motion="stopped")
        clips.append(Clip(first + number, changed, scenario))
    return tuple(clips)
