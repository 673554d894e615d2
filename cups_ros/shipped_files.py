"""Where the shipped files lie: in a checkout, a virtual environment or a colcon workspace.

The executables find the Fast DDS profile with it, tests and tools the parameter file.
"""

from __future__ import annotations

import os
from pathlib import Path

FASTDDS_PROFILE = "config/fastdds_large_images.xml"
FASTDDS_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"


def shipped_file(name: str) -> Path:
    """The path of a shipped file such as "config/perception.yaml".

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    # The code lies in <checkout>/cups_ros or in <prefix>/lib/pythonX.Y/site-packages/cups_ros.
    for folder in Path(__file__).resolve().parents:
        for candidate in (folder / name, folder / "share/cups_ros" / name):
            if candidate.is_file():
                return candidate
    raise FileNotFoundError(
        f"{name} is not beside {Path(__file__).parent} and not in share/cups_ros: install "
        "cups-ros again"
    )


def use_fastdds_profile() -> None:
    """Let Fast DDS carry large images unless the user has a profile; before `rclpy.init` only.

    Its default shared memory segment of 512 kB loses best-effort images above half a megabyte and
    delays all others.
    """
    os.environ.setdefault(FASTDDS_VARIABLE, str(shipped_file(FASTDDS_PROFILE)))
