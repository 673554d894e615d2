"""A drive through player, node and recorder, each a process of its own, joined by DDS alone.

`cups demo` calls it; it returns what the recorder noted.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.rosbag2 import ReaderError

from cups_training.demo.processes import DemoError, ModuleProcess
from cups_training.demo.recording import Recording

NAMESPACE = "/demo"
BAG_SUFFIXES = (".mcap", ".db3", ".bag")
# The node compiles its kernels before it listens, once on a machine.
START_TIMEOUT_S = 180
LAST_RESULT_TIMEOUT_S = 60
# The overlay follows its label.
SETTLING_S = 0.5
POLL_S = 0.1


def image_transport(drive: Path) -> str:
    """Whether the pictures of a drive travel raw or compressed, as the node must know beforehand.

    Raises:
        DemoError: the bag cannot be read.
    """
    if not (drive / "metadata.yaml").is_file() and drive.suffix not in BAG_SUFFIXES:
        return "raw"
    try:
        with AnyReader([drive]) as reader:
            types = {item.msgtype for item in reader.connections if "left" in item.topic}
    except (AnyReaderError, ReaderError) as error:
        raise DemoError(f"{drive}: not a bag that can be read: {error}") from error
    return "raw" if "sensor_msgs/msg/Image" in types else "compressed"


def play(drive: Path, output: Path, on_progress: Callable[[Recording], None]) -> Recording:
    """Plays a drive in real time and records what the node makes of it.

    Args:
        drive: a bag or a folder of pictures, as the player takes it.
        output: for the recorded pictures and the logs.
        on_progress: called several times a second.

    Raises:
        DemoError: a process failed, or no frame was played.
    """
    logs = output / "log"
    logs.mkdir(parents=True, exist_ok=True)
    environment = {
        # A domain that robots nearby do not use, and no word beyond this machine.
        "ROS_DOMAIN_ID": str(1 + os.getpid() % 100),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": str(logs),
    }
    recording = Recording()
    with ExitStack() as running:

        def start(
            name: str, parameters: dict[str, object], take: Callable[[str], None] | None = None
        ) -> ModuleProcess:
            arguments = ["--ros-args", "-r", f"__ns:={NAMESPACE}"]
            for key, value in parameters.items():
                arguments += ["-p", f"{key}:={value}"]
            log = logs / f"{name}.txt"
            process = ModuleProcess(f"cups_ros.{name}", arguments, log, environment, take)
            running.callback(process.stop)
            return process

        others = [
            start(
                "demo_recorder", {"output": output}, lambda line: recording.add(json.loads(line))
            ),
            start("pseudo_label_node", {"input.image_transport": image_transport(drive)}),
        ]
        player = start("drive_player", {"path": drive, "wait_s": float(START_TIMEOUT_S)})
        deadline = math.inf
        while time.monotonic() < deadline:
            if player.has_ended and deadline == math.inf:
                deadline = time.monotonic() + LAST_RESULT_TIMEOUT_S
            # The newest frame is never replaced in the node's mailbox: its result is the last one.
            if player.has_ended and recording.has_last_result:
                deadline = min(deadline, time.monotonic() + SETTLING_S)
            for process in others:
                if process.has_ended:
                    raise DemoError(f"{process.name} ended before the drive: see {logs}")
            on_progress(recording)
            time.sleep(POLL_S)
    on_progress(recording)
    if not recording.labels:
        raise DemoError(
            f"{len(recording.published_ns)} frames of {drive} were played, no result came back: "
            f"see {logs}"
        )
    return recording
