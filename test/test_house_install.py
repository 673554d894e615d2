"""pip and colcon both end with code, commands, messages and shared files in reach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LEFT_BEHIND = shutil.ignore_patterns(
    ".git",
    ".venv",
    "build",
    "install",
    "log",
    "demo_output",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
)
USE_INSTALLED = """
import cups_core, cups_ros, cups_training
from importlib.metadata import entry_points
from cups_core.installed_files import installed_file
scripts = {found.name for found in entry_points(group="console_scripts")}
assert {"cups", "cups_pseudo_label", "cups_harvest", "cups_drive_player"} <= scripts, scripts
print(installed_file("package.xml"))
"""


@pytest.fixture(scope="module")
def sources(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, so that no build writes into it."""
    copy = tmp_path_factory.mktemp("workspace") / "cups"
    return Path(shutil.copytree(repository, copy, ignore=LEFT_BEHIND))


def run(command: str, folder: Path, **environment: str) -> str:
    # A ROS wheel environment marks its processes; a Python started from here must find out anew.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("_ROS_WHEELS")}
    found = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-4000:]
    return found.stdout


def test_pip_installs_code_commands_and_shared_files(sources: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    run(
        f"{sys.executable} -m pip install --quiet --no-deps --no-build-isolation "
        f"--ignore-installed --prefix {prefix} {sources}",
        tmp_path,
    )
    (tmp_path / "use.py").write_text(USE_INSTALLED)
    (packages,) = prefix.glob("lib*/python*/site-packages")
    found = run(f"{sys.executable} use.py", tmp_path, PYTHONPATH=str(packages))
    assert Path(found.strip()) == prefix / "share/cups_ros/package.xml"
    assert {path.name for path in (prefix / "bin").iterdir()} >= {"cups", "cups_pseudo_label"}
    assert (prefix / "share/ament_index/resource_index/packages/cups_ros").is_file()


def test_colcon_builds_nodes_and_messages(sources: Path, tmp_path: Path) -> None:
    pytest.importorskip("colcon_core", reason="colcon is part of the dev extra")
    environment = {
        "AMENT_PREFIX_PATH": sys.prefix,
        "CMAKE_PREFIX_PATH": sys.prefix,
        "PATH": f"{sys.prefix}/bin:{os.environ['PATH']}",
    }
    run(
        f"colcon --log-base {tmp_path}/log build --base-paths . msg "
        f"--build-base {tmp_path}/build --install-base {tmp_path}/install",
        sources,
        **environment,
    )
    script = USE_INSTALLED + "import cups_msgs; print(cups_msgs.__file__)"
    (tmp_path / "use.py").write_text(script)
    found = run("source install/setup.bash && python use.py", tmp_path, **environment)
    shared, messages = (Path(line) for line in found.split())
    assert shared == tmp_path / "install/cups_ros/share/cups_ros/package.xml"
    assert (tmp_path / "install/cups_msgs") in messages.parents
    executables = {path.name for path in (tmp_path / "install/cups_ros/lib/cups_ros").iterdir()}
    assert {"pseudo_label_node", "harvest_node", "drive_player"} <= executables
