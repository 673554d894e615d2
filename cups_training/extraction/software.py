"""Which versions of which software decide what extracted pictures look like.

Every drive says it in its claim and the manifest repeats it.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import cv2


def software() -> dict[str, str]:
    """Versions by name."""
    try:
        own = version("cups-ros")
    except PackageNotFoundError:
        own = "not installed"
    return {"cups-ros": own, "opencv": cv2.__version__}
