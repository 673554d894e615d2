"""Starting and configuring the vehicle node: states, parameters, and warnings of silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import GetState
from rclpy.lifecycle.node import TransitionCallbackReturn
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage

from cups_core.installed_files import installed_file
from cups_ros.pseudo_label_node import PseudoLabelNode


def test_nobody_publishing_is_told(start_process: Any, tester: Any) -> None:
    process = start_process(
        "cups_ros.pseudo_label_node", "--ros-args", "-r", "__node:=lonely", "-r", "__ns:=/alone"
    )
    tester.wait_until(lambda: "no stereo pair for 5 s" in process.output, "the warning")
    assert "nobody publishes /alone/left/image_rect, /alone/right/image_rect" in process.output


def test_compressed_images_instead_of_raw_are_told(start_process: Any, tester: Any) -> None:
    for side in ("left", "right"):
        tester.node.create_publisher(CompressedImage, f"/png/{side}/image_rect/compressed", 1)
    process = start_process("cups_ros.pseudo_label_node", "--ros-args", "-r", "__ns:=/png")
    advice = "found compressed ones: set input.image_transport to compressed"
    tester.wait_until(lambda: advice in process.output, "the advice")


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("input.sync_queue_size:=0", "Parameter input.sync_queue_size out of range. Min: 1"),
        ("points_step_px:=2.5", "points_step_px: correct the parameter file"),
        ("input.image_qos:=fast", "image_qos: expected one of auto, reliable, best_effort"),
    ],
)
def test_a_wrong_parameter_ends_the_program_with_one_sentence(
    start_process: Any, parameter: str, sentence: str
) -> None:
    process = start_process("cups_ros.pseudo_label_node", "--ros-args", "-p", parameter)
    assert process.process.wait(60) == 1
    assert sentence in process.output
    assert "Traceback" not in process.output


def test_a_lifecycle_manager_leads_it_through_every_state(tester: Any) -> None:
    node = PseudoLabelNode()
    tester.add(node)
    client = tester.node.create_client(GetState, "/pseudo_label_node/get_state")
    tester.wait_until(client.service_is_ready, "the lifecycle service")

    def state() -> int:
        answer = client.call_async(GetState.Request())
        tester.wait_until(answer.done, "the state")
        return answer.result().current_state.id

    def topics() -> set[str]:
        return {name for name, _ in node.get_topic_names_and_types() if "pseudo_label_node" in name}

    assert state() == State.PRIMARY_STATE_UNCONFIGURED
    for _ in range(2):
        assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
        assert state() == State.PRIMARY_STATE_INACTIVE
        assert "/pseudo_label_node/overlay" in topics()
        for _ in range(2):
            assert node.trigger_activate() == TransitionCallbackReturn.SUCCESS
            assert state() == State.PRIMARY_STATE_ACTIVE
            assert node.count_subscribers("/left/image_rect") == 1
            assert node.trigger_deactivate() == TransitionCallbackReturn.SUCCESS
            tester.wait_until(lambda: not node.count_subscribers("/left/image_rect"), "silence")
        assert node.trigger_cleanup() == TransitionCallbackReturn.SUCCESS
    tester.wait_until(lambda: "/pseudo_label_node/overlay" not in topics(), "no publishers")
    assert node.trigger_shutdown() == TransitionCallbackReturn.SUCCESS
    assert state() == State.PRIMARY_STATE_FINALIZED
    node.destroy_node()


def test_a_configuration_that_fails_can_be_corrected(tester: Any) -> None:
    node = PseudoLabelNode()
    node.set_parameters([Parameter("input.image_transport", value="theora")])
    assert node.trigger_configure() == TransitionCallbackReturn.FAILURE
    node.set_parameters([Parameter("input.image_transport", value="raw")])
    assert node.trigger_configure() == TransitionCallbackReturn.SUCCESS
    node.destroy_node()


def test_an_error_in_a_transition_is_logged(tester: Any, capfd: Any) -> None:
    node = PseudoLabelNode()
    # Not configured: what the transition needs is missing.
    with pytest.raises(AttributeError):
        node.on_activate(State())
    assert "activate failed:\nTraceback" in "".join(capfd.readouterr())
    node.destroy_node()


def test_the_parameter_file_counts_in_any_namespace(start_process: Any, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    shipped = installed_file("config/perception.yaml").read_text()
    file.write_text(shipped.replace('image_qos: "auto"', 'image_qos: "wrong"'))
    arguments = ("--ros-args", "--params-file", str(file), "-r", "__ns:=/deep/down")
    process = start_process("cups_ros.pseudo_label_node", *arguments)
    assert process.process.wait(60) == 1
    assert "found 'wrong'" in process.output
