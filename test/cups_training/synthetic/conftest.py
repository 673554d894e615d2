"""Small synthetic drives that the tests share."""

from __future__ import annotations

import dataclasses

import pytest

from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import IDEAL_SENSOR, DriveSettings

pytest.importorskip("embreex")


@pytest.fixture(scope="session")
def small() -> DriveSettings:
    """Six small frames of the usual cameras."""
    return DriveSettings(width=192, height=96, frames=6)


@pytest.fixture(scope="session")
def clean(small: DriveSettings) -> DriveSettings:
    """The same with ideal cameras."""
    return dataclasses.replace(small, **IDEAL_SENSOR)


@pytest.fixture(scope="session")
def clean_drive(clean: DriveSettings) -> SyntheticDrive:
    """Ideal cameras, usual traffic, an ego that moves."""
    return SyntheticDrive(dataclasses.replace(clean, ego_motion="cruise"), 21)


@pytest.fixture(scope="session")
def sharp_drive(clean: DriveSettings) -> SyntheticDrive:
    """As `clean_drive`, larger, without shadows and mirrors: the surface alone decides colour."""
    settings = dataclasses.replace(
        clean, width=384, height=192, ego_motion="cruise", hard_shadows=False, reflections=False
    )
    return SyntheticDrive(settings, 21)
