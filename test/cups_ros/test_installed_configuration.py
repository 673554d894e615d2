"""The launch file, the RViz view and the Fast DDS profile fit the nodes they are for."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
import yaml

from cups_core.installed_files import installed_file
from cups_ros.fastdds_profile import FASTDDS_PROFILE, FASTDDS_VARIABLE
from cups_ros.pseudo_label_node import OUTPUTS

LAUNCH = installed_file("launch/perception.launch.py")
ARGUMENTS = {
    "namespace",
    "left_namespace",
    "right_namespace",
    "params_file",
    "autostart",
    "use_sim_time",
    "log_level",
    "harvest",
    "rviz",
    "fastdds_profile",
}
FULL_HD_RGB = 1920 * 1080 * 3
PRINT_PROFILE = f"""
import os
from cups_ros.fastdds_profile import use_fastdds_profile
use_fastdds_profile()
print(os.environ["{FASTDDS_VARIABLE}"])
"""
RUN_LAUNCH = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
arguments = {"namespace": "car", "left_namespace": "/cam/l", "right_namespace": "/cam/r"}
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=arguments.items())])
)
sys.exit(service.run())
"""


def test_the_rviz_view_shows_topics_that_the_node_publishes() -> None:
    view = yaml.safe_load(installed_file("config/cups.rviz").read_text())["Visualization Manager"]
    topics = {display["Topic"]["Value"] for display in view["Displays"]}
    assert topics <= {f"/pseudo_label_node/{name}" for name in OUTPUTS}
    assert {"/pseudo_label_node/overlay", "/pseudo_label_node/objects"} <= topics


def test_the_profile_has_room_for_several_large_images() -> None:
    root = ElementTree.parse(installed_file(FASTDDS_PROFILE)).getroot()
    numbers = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    assert int(numbers["maxMessageSize"] or 0) > FULL_HD_RGB
    assert int(numbers["segment_size"] or 0) >= 8 * FULL_HD_RGB
    assert numbers["useBuiltinTransports"] == "false"


@pytest.mark.parametrize("chosen", [None, "/my/own/profile.xml"])
def test_the_user_s_profile_wins_over_the_shipped_one(chosen: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if name != FASTDDS_VARIABLE}
    if chosen is not None:
        environment[FASTDDS_VARIABLE] = chosen
    found = subprocess.run(
        [sys.executable, "-c", PRINT_PROFILE],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == (chosen or str(installed_file(FASTDDS_PROFILE)))


def test_the_launch_file_offers_the_documented_arguments() -> None:
    # Read without running it, for machines that have no `launch`.
    tree = ast.parse(LAUNCH.read_text())
    (listed,) = (
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ARGUMENTS"
    )
    assert isinstance(listed, ast.List)
    names = {item.elts[0].value for item in listed.elts if isinstance(item, ast.Tuple)}  # type: ignore[attr-defined]
    assert names == ARGUMENTS


def test_the_launch_file_starts_the_node_with_remapped_topics(tester: Any) -> None:
    pytest.importorskip("launch_ros", reason="launch comes with a ROS distribution")
    index = pytest.importorskip("ament_index_python")
    if "cups_ros" not in index.get_packages_with_prefixes():
        pytest.skip(
            "cups_ros is not in a sourced workspace: colcon build, source install/setup.bash"
        )
    process = subprocess.Popen([sys.executable, "-c", RUN_LAUNCH, str(LAUNCH)])
    try:
        tester.wait_until(
            lambda: tester.node.count_subscribers("/cam/l/image_rect"), "the node's subscription"
        )
        assert tester.node.count_subscribers("/cam/r/camera_info") == 1
        assert tester.node.count_publishers("/car/pseudo_label_node/pseudo_label") == 1
    finally:
        process.send_signal(2)
        process.wait(30)
    assert process.returncode == 0
