"""Where the launch, configuration and profile files lie, whichever way the software was installed.

The nodes, the demo and `cups doctor` ask it; it needs no ROS environment and no ament index.
"""

from __future__ import annotations

from pathlib import Path

from cups_core.errors import CupsError


def installed_file(relative: str) -> Path:
    """The path of a file such as "config/fastdds_large_images.xml".

    Raises:
        CupsError: the file is neither in this checkout nor in a share/cups_ros above the code.
    """
    code = Path(__file__).resolve()
    # pip and colcon both install the files under <prefix>/share and the code some levels below it.
    places = [code.parents[1], *(parent / "share" / "cups_ros" for parent in code.parents)]
    for place in places:
        if (place / relative).is_file():
            return place / relative
    raise CupsError(
        f"{relative}: expected in {places[0]} or in a share/cups_ros folder above {code.parent}, "
        "found in none: install cups-ros again"
    )
