"""Gives every test process a DDS domain and a log folder of its own before rclpy is imported, and
every property test the same examples.

pytest loads it; the ROS tests of two processes or checkouts on one machine must not meet.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run: a run says whether the code changed, not whether luck did. A busy
# machine is no fault of a test.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")

os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 100)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ["ROS_LOG_DIR"] = tempfile.mkdtemp(prefix="cups_ros_log_")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data, where a person has one; named by CUPS_SHARED or ../shared."""
    folder = Path(os.environ.get("CUPS_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}: set CUPS_SHARED")
    return folder
