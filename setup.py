"""Tells pip and colcon which launch and configuration files to install with the code.

Everything else about the distribution is declared in setup.cfg.
"""

from glob import glob

from setuptools import setup

SHARE = "share/cups_ros"

setup(
    data_files=[
        ("share/ament_index/resource_index/packages", ["cups_ros/resource/cups_ros"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", sorted(glob("launch/*.launch.py"))),
        (f"{SHARE}/config", sorted(glob("config/*.*"))),
    ],
)
