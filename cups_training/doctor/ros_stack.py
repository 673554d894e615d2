"""Whether ROS 2 can carry large images here and is there only once; the doctor asks it.

ROS itself is not imported: what is asked is what the nodes will meet when they start.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cups_core.installed_files import installed_file
from cups_training.doctor.findings import Finding, Verdict

PROFILE_VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
RECEIVE_BUFFER = Path("/proc/sys/net/core/rmem_max")
SHARED_MEMORY = Path("/dev/shm")
# One 1280x720 RGB image; a smaller socket buffer loses it between machines.
SMALLEST_RECEIVE_BUFFER = 2_764_800
# The profile's segment of 64 MiB for each of player, node and viewer.
SMALLEST_SHARED_MEMORY = 3 * 64 * 2**20


def check_one_ros(environment: Mapping[str, str] = os.environ) -> Iterator[Finding]:
    """A sourced distribution beside the wheels from PyPI puts two ROS libraries in one process."""
    try:
        wheel = version("ros-rclpy")
    except PackageNotFoundError:
        return
    sourced = environment.get("ROS_DISTRO")
    if sourced:
        yield Finding(
            "one ROS only",
            Verdict.WRONG,
            f"rclpy {wheel} from PyPI and the sourced ROS distribution {sourced}",
            "use a shell in which no ROS setup file was sourced, or a venv without cups-ros[ros]",
        )


def check_profile(environment: Mapping[str, str] = os.environ) -> Finding:
    """The Fast DDS profile without which best-effort images above half a megabyte are lost."""
    subject = "Fast DDS profile"
    middleware = environment.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if "fastrtps" not in middleware:
        return Finding(subject, Verdict.OK, f"not needed: the middleware is {middleware}")
    chosen = next((environment[name] for name in PROFILE_VARIABLES if name in environment), None)
    profile = installed_file("config/fastdds_large_images.xml")
    if chosen is None:
        return Finding(
            subject,
            Verdict.MISSING,
            "none chosen; the nodes here take their own, a camera driver sends large images slowly "
            "and loses best-effort ones",
            f"start the camera driver with {PROFILE_VARIABLES[0]}={profile}",
        )
    if not Path(chosen).is_file():
        return Finding(
            subject,
            Verdict.WRONG,
            f"{chosen} does not exist",
            f"{PROFILE_VARIABLES[0]}={profile}",
        )
    return Finding(subject, Verdict.OK, chosen)


def check_receive_buffer(limit: Path = RECEIVE_BUFFER) -> Iterator[Finding]:
    """The kernel's limit for socket buffers; matters between machines, not on one."""
    if not limit.is_file():
        return
    size = int(limit.read_text())
    enough = size >= SMALLEST_RECEIVE_BUFFER
    yield Finding(
        "net.core.rmem_max",
        Verdict.OK if enough else Verdict.MISSING,
        f"{size / 2**20:.1f} MiB",
        "" if enough else "for images between machines: sudo sysctl -w net.core.rmem_max=16777216",
    )


def check_shared_memory(folder: Path = SHARED_MEMORY) -> Iterator[Finding]:
    """Free shared memory, through which images travel on one machine."""
    if not folder.is_dir():
        return
    free = shutil.disk_usage(folder).free
    enough = free >= SMALLEST_SHARED_MEMORY
    yield Finding(
        "shared memory",
        Verdict.OK if enough else Verdict.WRONG,
        f"{free / 2**20:.0f} MiB free in {folder}",
        "" if enough else f"{SMALLEST_SHARED_MEMORY // 2**20} MiB needed; docker run --shm-size=1g",
    )
