"""Makes Fast DDS carry large images; every executable and benchmark calls it before `rclpy.init`.

Its default shared memory segment of 512 kB loses best-effort images above half a megabyte and
delays all others.
"""

from __future__ import annotations

import os

from cups_core.installed_files import installed_file

FASTDDS_PROFILE = "config/fastdds_large_images.xml"
FASTDDS_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"


def use_fastdds_profile() -> None:
    """Choose the shipped profile unless the user has chosen one.

    Raises:
        CupsError: the installation is incomplete.
    """
    os.environ.setdefault(FASTDDS_VARIABLE, str(installed_file(FASTDDS_PROFILE)))
