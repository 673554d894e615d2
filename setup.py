"""Tells pip and colcon which launch and configuration files to install with the code.

Everything else about the distribution is declared in setup.cfg.
"""

from glob import glob

from setuptools import setup

SHARE = "share/cups_ros"

setup(
    # Not in setup.cfg: colcon cannot read the object that setuptools makes of it there.
    python_requires=">=3.10",
    data_files=[
        ("share/ament_index/resource_index/packages", ["cups_ros/resource/cups_ros"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", sorted(glob("launch/*.launch.py"))),
        (f"{SHARE}/config", sorted(glob("config/*.*"))),
        (f"{SHARE}/docs", ["docs/weights.md"]),
    ],
)
