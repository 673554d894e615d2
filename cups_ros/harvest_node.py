"""The vehicle node that records, while driving, only the frames worth learning from.

`perception.launch.py harvest:=true` and the command `cups_harvest` start it; what is worth how much
is decided in `cups_core.harvesting`. Deactivating pauses it, activating goes on in a new file.
"""

from __future__ import annotations

import dataclasses
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from typing import Any

import cv2
from cups_msgs.msg import PanopticImage
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher, LifecycleState
from rclpy.lifecycle.node import TransitionCallbackReturn
from std_msgs.msg import String

from cups_core.errors import CupsError
from cups_core.harvesting.policy import HarvestPolicy, HarvestSettings
from cups_core.harvesting.warm_up import warm_up
from cups_core.installed_files import installed_file
from cups_core.settings import setting
from cups_ros.diagnostics import diagnostics_message
from cups_ros.harvest_bag import GIGABYTE, MEGABYTE, BagSettings, BagWriteError, HarvestBag
from cups_ros.harvest_messages import label_item, pair_item, recorded_topic
from cups_ros.harvest_recorder import HarvestRecorder
from cups_ros.image_subscription import TRANSPORTS
from cups_ros.lifecycle import run, told
from cups_ros.parameters import declare, read
from cups_ros.queued_worker import QueuedWorker
from cups_ros.stereo_input import StereoInput, StereoInputSettings, StereoMessages

RECIPE = "harvest: motion, novelty, uncertainty within a budget"
LABEL_TOPIC = "pseudo_label_node/pseudo_label"
SILENCE_S = 5.0
DIAGNOSTICS_S = 1.0
STOP_TIMEOUT_S = 30.0
QUEUE_DEPTH = 5
# Pairs and labels that wait while the disk or the processor is busy.
WAITING_ITEMS = 30


@dataclass(frozen=True)
class HarvestNodeSettings:
    """What the node does besides choosing and writing."""

    autostart: bool = setting(
        True, "configure and activate at start; false leaves both to a lifecycle manager"
    )
    use_labels: bool = setting(
        True, "listen to the pseudo-labels; false chooses by novelty alone and records none"
    )
    label_wait_s: float = setting(
        1.0,
        "how long a pair waits for its pseudo-label, seconds; pairs wait in memory",
        minimum=0.0,
        maximum=10.0,
    )


PARAMETERS = {
    "": HarvestNodeSettings,
    "input.": StereoInputSettings,
    "harvest.": HarvestSettings,
    "bag.": BagSettings,
}


# A pair or a serialised pseudo-label, and when it came, nanoseconds of the node's clock.
Received = tuple[StereoMessages | bytes, int]


class HarvestNode(LifecycleNode):
    """Receives serialised messages while active; a worker thread judges and writes them."""

    def __init__(self) -> None:
        """Declare the parameters; everything else waits for the transitions."""
        super().__init__("harvest_node")
        declare(self, PARAMETERS)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._bursts: LifecyclePublisher | None = None
        self._input: StereoInput | None = None
        self._labels: Any = None
        self._worker: QueuedWorker[Received] | None = None
        self._timers: list[Any] = []
        self._silence = ""

    @property
    def autostart(self) -> bool:
        """Whether the node configures and activates itself."""
        return bool(self.get_parameter("autostart").value)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and look at the folder."""
        with told(self, "configure"):
            try:
                self._settings = read(self, "", HarvestNodeSettings)
                self._input_settings = read(self, "input.", StereoInputSettings)
                self._harvest_settings = read(self, "harvest.", HarvestSettings)
                self._bag_settings = read(self, "bag.", BagSettings)
                bag = self._new_bag()
            except CupsError as error:
                self.get_logger().error(f"configure: {error}")
                return TransitionCallbackReturn.FAILURE
            self.get_logger().info("warming up; the first start compiles for some seconds")
            warm_up()
            if unfinished := bag.unfinished():
                self.get_logger().warning(
                    f"{len(unfinished)} recordings were cut off by a crash or a full disk, the "
                    f"last is {unfinished[-1]}; cups extract reads them up to where they end"
                )
            self._bursts = self.create_lifecycle_publisher(String, "~/bursts", QUEUE_DEPTH)
            return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker, then let messages in."""
        with told(self, "activate"):
            result = super().on_activate(state)
            try:
                self._bag = self._new_bag()
            except CupsError as error:
                self.get_logger().error(f"activate: {error}")
                return TransitionCallbackReturn.FAILURE
            bursts = self._bursts
            assert bursts is not None
            self._policy = HarvestPolicy(self._harvest_settings)
            self._recorder = HarvestRecorder(
                self._policy,
                self._bag,
                recorded_topic(bursts.topic_name, String),
                self._settings.label_wait_s,
                on_burst=lambda text: bursts.publish(String(data=text)),
                on_problem=self._tell_problem,
            )
            self._failed = 0
            self._silence = ""
            self._activated = time.monotonic()
            self._worker = worker = QueuedWorker("harvest", self._take, WAITING_ITEMS)
            self._input = StereoInput(
                self,
                self._input_settings,
                lambda messages: worker.put((messages, self.get_clock().now().nanoseconds)),
                is_serialized=True,
            )
            if self._settings.use_labels:
                self._labels = self.create_subscription(
                    PanopticImage,
                    LABEL_TOPIC,
                    lambda data: worker.put((data, self.get_clock().now().nanoseconds)),
                    QUEUE_DEPTH,
                    raw=True,
                )
                self._label_topic = self._labels.topic_name
            # A steady clock, because with use_sim_time the node's clock stands still when nobody
            # publishes it.
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timers = [
                self.create_timer(DIAGNOSTICS_S, self._publish_diagnostics, clock=clock),
                self.create_timer(SILENCE_S, self._warn_of_silence, clock=clock),
            ]
            self.get_logger().info(
                f"recording to {self._bag.path}: at most "
                f"{self._harvest_settings.budget_gb_per_hour:g} GB per hour, bursts of "
                f"{self._harvest_settings.frames_before + 1 + self._harvest_settings.frames_after} "
                "pairs"
            )
            return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let no more messages in, judge what waits and close the file."""
        with told(self, "deactivate"):
            self.stop()
            return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give the publisher back."""
        with told(self, "cleanup"):
            self.destroy_publisher(self._bursts)
            self._bursts = None
            return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the recording from whatever state."""
        with told(self, "shutdown"):
            self.stop()
            return super().on_shutdown(state)

    def stop(self) -> None:
        """End the subscriptions, the timers and the worker and close the file.

        Raises:
            RuntimeError: the worker does not end.
        """
        for timer in self._timers:
            self.destroy_timer(timer)
        self._timers = []
        if self._input is not None:
            self._input.destroy()
            self._input = None
        if self._labels is not None:
            self.destroy_subscription(self._labels)
            self._labels = None
        if self._worker is not None:
            if not self._worker.stop(STOP_TIMEOUT_S):
                raise RuntimeError(f"the disk does not answer within {STOP_TIMEOUT_S:g} s")
            self._worker = None
            try:
                self._recorder.finish()
            except BagWriteError as error:
                self.get_logger().error(f"the last file is cut off at its last burst: {error}")
            self.get_logger().info(
                f"kept {self._recorder.kept} of {self._recorder.seen} pairs, "
                f"{self._bag.written_bytes / MEGABYTE:.1f} MB in {self._bag.files} files"
            )

    def _new_bag(self) -> HarvestBag:
        groups: dict[str, Any] = {"harvest": self._harvest_settings, "bag": self._bag_settings}
        return HarvestBag(
            self._bag_settings,
            {
                "version": ElementTree.parse(installed_file("package.xml")).findtext("version", ""),
                **{
                    f"{prefix}.{name}": str(value)
                    for prefix, group in groups.items()
                    for name, value in dataclasses.asdict(group).items()
                },
            },
        )

    def _take(self, item: Received) -> None:
        """One pair or label, in the worker's thread."""
        message, received_ns = item
        try:
            if isinstance(message, StereoMessages):
                image_type, _ = TRANSPORTS[self._input_settings.image_transport]
                self._recorder.add_pair(pair_item(message, image_type, received_ns))
            else:
                self._recorder.add_label(label_item(message, self._label_topic, received_ns))
        except CupsError as error:
            self._failed += 1
            self.get_logger().warning(f"pair skipped: {error}", throttle_duration_sec=SILENCE_S)

    def _tell_problem(self, problem: str) -> None:
        if problem:
            self.get_logger().error(f"recording stopped, the drive goes on: {problem}")
        else:
            self.get_logger().info("recording goes on: there is space again")

    def _warn_of_silence(self) -> None:
        assert self._input is not None
        self._silence = self._input.silence()
        if self._silence:
            self.get_logger().warning(f"no stereo pair for {SILENCE_S:g} s: {self._silence}")

    def _publish_diagnostics(self) -> None:
        assert self._input is not None
        assert self._worker is not None
        self._worker.check()
        recorder, bag, budget = self._recorder, self._bag, self._policy.budget
        hours = (time.monotonic() - self._activated) / 3600
        silence = "" if self._input.has_news else self._silence
        values = {
            "state": "stopped" if recorder.problem else "recording",
            "pairs seen": str(recorder.seen),
            "pairs kept": str(recorder.kept),
            "bursts": str(recorder.bursts),
            "pseudo-labels": self._label_state(),
            "written [GB]": f"{bag.written_bytes / GIGABYTE:.4f}",
            "rate [GB/h]": f"{bag.written_bytes / GIGABYTE / hours:.3f}",
            "budget [GB/h]": f"{self._harvest_settings.budget_gb_per_hour:g}",
            "budget left [MB]": f"{budget.available / MEGABYTE:.1f}",
            "threshold": f"{self._policy.threshold:.3f}",
            "disk free [GB]": self._disk_free(),
            "files": str(bag.files),
            "clock jumps": str(self._input.clock_jumps),
        }
        drops = self._input.drops() + recorder.drops
        drops["disk or processor too slow"] = self._worker.refused
        drops["cannot be read"] = self._failed
        values |= {f"dropped: {reason}": str(count) for reason, count in drops.items()}
        self._diagnostics.publish(
            diagnostics_message(
                self.get_clock().now().nanoseconds,
                self.get_fully_qualified_name(),
                RECIPE,
                recorder.problem or silence,
                values,
            )
        )

    def _disk_free(self) -> str:
        try:
            return f"{self._bag.free_bytes / GIGABYTE:.2f}"
        except BagWriteError as error:
            return str(error)

    def _label_state(self) -> str:
        if not self._settings.use_labels:
            return "not used: chosen by novelty alone"
        if not self._recorder.hears_labels:
            return "none come: chosen by novelty alone"
        return f"{self._recorder.labelled} of {self._recorder.seen} pairs"


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `cups_harvest`."""
    # One picture at a time: OpenCV's threads would only wait for each other.
    cv2.setNumThreads(1)
    return run(HarvestNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
