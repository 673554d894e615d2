"""What imports without what: the core without ROS and PyTorch, the nodes without PyTorch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TORCH = ("torch", "torchvision")
ROS = ("rclpy", "rosbags", "sensor_msgs", "cups_msgs")

# Makes the named packages unimportable, as where they are missing, then imports every module.
IMPORT_ALL = """
import importlib, pkgutil, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError("No module named " + name, name=name)
sys.meta_path.insert(0, Absent())
package = importlib.import_module({package!r})
names = [found.name for found in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
kept = [name for name in names if not name.startswith({left_out!r})]
for name in kept:
    importlib.import_module(name)
print(len(kept))
"""


@pytest.mark.parametrize(
    ("package", "absent"),
    [
        ("cups_core", TORCH + ROS),
        ("cups_training", (*TORCH, "rclpy", "cups_msgs", "sensor_msgs")),
        ("cups_ros", TORCH),
    ],
    ids=["core", "training", "ros"],
)
def test_every_module_imports_without(
    package: str, absent: tuple[str, ...], repository: Path
) -> None:
    # These folders alone may use PyTorch, and one may read bags.
    left_out = (
        "cups_core.recording",
        "cups_core.network",
        "cups_core.stages",
        "cups_training.semantics_fitting.head",
    )
    script = IMPORT_ALL.format(package=package, absent=absent, left_out=left_out)
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    assert int(found.stdout) > 0


def test_the_ban_of_the_import_test_works(repository: Path) -> None:
    script = IMPORT_ALL.format(package="cups_core", absent=("numpy",), left_out="-")
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=False
    )
    assert found.returncode != 0
    assert "numpy" in found.stderr
