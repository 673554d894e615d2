"""Drives as the policy sees them: pictures that change or repeat, objects that come and go."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cups_core.frame_quality import FrameQuality
from cups_core.harvesting.observation import Observation, SeenObject
from cups_core.thumbnail import CELLS

PERIOD_NS = 100_000_000
START_NS = 1_000 * PERIOD_NS
PAIR_BYTES = 5_000_000


def quality(place: int = 0, sharpness: float = 0.6, dark: float = 0.0, bright: float = 0.0):
    """A picture of a place; another place looks wholly different."""
    cells = np.random.default_rng(place).integers(20, 230, CELLS)
    return FrameQuality(sharpness, 0.5, dark, bright, cells.astype(np.uint8).tobytes())


def car(track: int, **changes: float) -> SeenObject:
    """A sure, near, fast car in mid-picture."""
    values = {"score": 1.0, "area_share": 0.02, "speed_mps": 8.0, **changes}
    return SeenObject(track, is_cut=False, **values)


def observation(index: int, place: int = 0, objects: tuple[SeenObject, ...] | None = ()):
    """Frame number `index` of a drive at 10 Hz."""
    return Observation(START_NS + index * PERIOD_NS, PAIR_BYTES, quality(place), objects)


@pytest.fixture(scope="session")
def make_quality() -> Callable[..., FrameQuality]:
    return quality


@pytest.fixture(scope="session")
def make_car() -> Callable[..., SeenObject]:
    return car


@pytest.fixture(scope="session")
def make_observation() -> Callable[..., Observation]:
    return observation
