"""The vehicle node that labels what moves: stereo images in, tracked objects with velocity out.

`perception.launch.py` and the command `cups_pseudo_label` start it; it computes nothing itself.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
from cups_msgs.msg import PanopticImage
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecyclePublisher, LifecycleState
from rclpy.lifecycle.node import TransitionCallbackReturn
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from stereo_msgs.msg import DisparityImage
from threadpoolctl import threadpool_limits
from visualization_msgs.msg import MarkerArray

from cups_core.drawing import overlay_segments
from cups_core.errors import CupsError
from cups_core.frames import StereoFrame
from cups_core.motion.online import OnlineMotion, OnlineResult, OnlineSettings
from cups_core.motion.stream_estimator import Estimates
from cups_core.motion.warm_up import warm_up
from cups_core.settings import setting
from cups_ros.diagnostics import FrameStatistics, diagnostics_message
from cups_ros.latest_worker import LatestWorker
from cups_ros.lifecycle import run, told
from cups_ros.motion_messages import MotionMessages, object_markers, point_cloud
from cups_ros.parameters import declare, read
from cups_ros.stereo_input import StereoInput, StereoInputSettings, StereoMessages

RECIPE = "online motion: DIS flow, semi-global matching, region growing"
SILENCE_S = 5.0
DIAGNOSTICS_S = 1.0
STOP_TIMEOUT_S = 10.0
QUEUE_DEPTH = 5
OUTPUTS = {
    "pseudo_label": PanopticImage,
    "disparity": DisparityImage,
    "depth": Image,
    "objects": MarkerArray,
    "points": PointCloud2,
    "overlay": Image,
}


@dataclass(frozen=True)
class PseudoLabelSettings:
    """What the node does besides reading its input and computing."""

    autostart: bool = setting(
        True, "configure and activate at start; false leaves both to a lifecycle manager"
    )
    points_step_px: int = setting(
        2, "the point cloud takes every n-th row and column of the image", minimum=1, maximum=64
    )
    velocity_arrow_s: float = setting(
        1.0,
        "a velocity arrow is as long as the way of this many seconds",
        minimum=0.01,
        maximum=60.0,
    )


PARAMETERS = {"": PseudoLabelSettings, "input.": StereoInputSettings, "motion.": OnlineSettings}


class PseudoLabelNode(LifecycleNode):
    """Subscribes while active, labels the newest pair in a worker thread and publishes from there.

    A frame that fails is counted and told, and the node goes on with the next one.
    """

    def __init__(self) -> None:
        """Declare the parameters; everything else waits for the transitions."""
        super().__init__("pseudo_label_node")
        declare(self, PARAMETERS)
        self._outputs: dict[str, LifecyclePublisher] = {}
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self._statistics = FrameStatistics()
        self._input: StereoInput | None = None
        self._worker: LatestWorker[tuple[StereoMessages, float]] | None = None
        self._judging: Future[None] | None = None
        self._timers: list[Any] = []
        self._silence = ""

    @property
    def autostart(self) -> bool:
        """Whether the node configures and activates itself."""
        return bool(self.get_parameter("autostart").value)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, build the chain and the publishers."""
        with told(self, "configure"):
            try:
                self._settings = read(self, "", PseudoLabelSettings)
                self._input_settings = read(self, "input.", StereoInputSettings)
                self._motion = OnlineMotion(read(self, "motion.", OnlineSettings))
                self.get_logger().info("warming up; the first start compiles for half a minute")
                warm_up(self._motion)
            except CupsError as error:
                self.get_logger().error(f"configure: {error}")
                return TransitionCallbackReturn.FAILURE
            self._messages = MotionMessages()
            self._outputs = {
                name: self.create_lifecycle_publisher(message_type, f"~/{name}", QUEUE_DEPTH)
                for name, message_type in OUTPUTS.items()
            }
            return super().on_configure(state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start the worker, then let images in."""
        with told(self, "activate"):
            result = super().on_activate(state)
            self._motion.reset()
            self._statistics = FrameStatistics()
            self._judge = ThreadPoolExecutor(1, thread_name_prefix="judging")
            self._judging = None
            self._worker = worker = LatestWorker("pseudo labels", self._label)
            self._input = StereoInput(
                self,
                self._input_settings,
                lambda messages: worker.put((messages, time.monotonic())),
            )
            # A steady clock, because with use_sim_time the node's clock stands still when nobody
            # publishes it.
            clock = Clock(clock_type=ClockType.STEADY_TIME)
            self._timers = [
                self.create_timer(DIAGNOSTICS_S, self._publish_diagnostics, clock=clock),
                self.create_timer(SILENCE_S, self._warn_of_silence, clock=clock),
            ]
            self.get_logger().info(f"labelling what moves: {RECIPE}")
            return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Let no more images in and end the worker."""
        with told(self, "deactivate"):
            self.stop()
            return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give publishers and memory back."""
        with told(self, "cleanup"):
            for publisher in self._outputs.values():
                self.destroy_publisher(publisher)
            self._outputs = {}
            del self._motion, self._messages
            return super().on_cleanup(state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the worker from whatever state."""
        with told(self, "shutdown"):
            self.stop()
            return super().on_shutdown(state)

    def stop(self) -> None:
        """End the subscriptions, the timers and the worker; harmless when they do not run.

        Raises:
            RuntimeError: the worker does not end.
        """
        for timer in self._timers:
            self.destroy_timer(timer)
        self._timers = []
        if self._input is not None:
            self._input.destroy()
            self._input = None
        if self._worker is not None:
            if not self._worker.stop(STOP_TIMEOUT_S):
                raise RuntimeError(
                    f"the frame in progress does not end within {STOP_TIMEOUT_S:g} s"
                )
            self._worker = None
            self._judge.shutdown()

    def _label(self, item: tuple[StereoMessages, float]) -> None:
        """One frame, in the worker's thread: measure it while the one before is still judged."""
        messages, arrived = item
        started = time.monotonic()
        try:
            estimates = self._motion.estimate(messages.frame())
        except (CupsError, cv2.error) as error:
            self._skip(error)
            return
        # Frames are judged in order, and an error of the one before surfaces here.
        if self._judging is not None:
            self._judging.result()
        self._judging = self._judge.submit(self._finish, messages, estimates, arrived, started)

    def _finish(
        self, messages: StereoMessages, estimates: Estimates, arrived: float, started: float
    ) -> None:
        """The rest of one frame, in the judging thread."""
        try:
            result = self._motion.judge(estimates)
        except (CupsError, cv2.error) as error:
            self._skip(error)
            return
        seconds = time.monotonic() - started
        self._publish(messages.left.header, estimates.frame, result, seconds)
        self._statistics.frame_done(arrived, started, result.note)

    def _skip(self, error: Exception) -> None:
        self._statistics.frame_failed(error)
        self.get_logger().warning(f"frame skipped: {error}", throttle_duration_sec=SILENCE_S)

    def _publish(
        self, header: Header, frame: StereoFrame, result: OnlineResult, processing_s: float
    ) -> None:
        segments, rig, build = result.segments, frame.rig, self._messages
        outputs = self._outputs
        outputs["pseudo_label"].publish(build.panoptic(header, segments, RECIPE, processing_s))
        wanted = {name for name, output in outputs.items() if output.get_subscription_count() > 0}
        if "objects" in wanted:
            arrow_s = self._settings.velocity_arrow_s
            outputs["objects"].publish(object_markers(header, segments, arrow_s))
        if "disparity" in wanted:
            outputs["disparity"].publish(build.disparity(header, result.disparity, rig))
        if "overlay" in wanted:
            picture = overlay_segments(frame.left, segments)
            outputs["overlay"].publish(build.overlay(header, picture))
        if wanted & {"depth", "points"}:
            depth = rig.depth(result.disparity)
            if "depth" in wanted:
                outputs["depth"].publish(build.depth(header, depth))
            if "points" in wanted:
                step = self._settings.points_step_px
                outputs["points"].publish(point_cloud(header, depth, rig, frame.left, step))

    def _warn_of_silence(self) -> None:
        assert self._input is not None
        self._silence = self._input.silence()
        if self._silence:
            self.get_logger().warning(f"no stereo pair for {SILENCE_S:g} s: {self._silence}")

    def _publish_diagnostics(self) -> None:
        assert self._input is not None
        assert self._worker is not None
        self._worker.check()
        values = self._statistics.values()
        values["clock jumps"] = str(self._input.clock_jumps)
        drops = self._input.drops()
        drops["pairs: replaced by a newer one"] = self._worker.replaced
        values |= {f"dropped: {reason}": str(count) for reason, count in drops.items()}
        silence = "" if self._input.has_news else self._silence
        stamp_ns = self.get_clock().now().nanoseconds
        self._diagnostics.publish(
            diagnostics_message(
                stamp_ns,
                self.get_fully_qualified_name(),
                RECIPE,
                silence or self._statistics.failing,
                values,
            )
        )


def main(arguments: list[str] | None = None) -> int:
    """Entry point of `cups_pseudo_label`."""
    # The chain has threads of its own. OpenCV's fight with them over the cores, and those of BLAS
    # wait in a loop for matrices of six rows: together a third of the processor.
    cv2.setNumThreads(1)
    with threadpool_limits(1, "blas"):
        return run(PseudoLabelNode, arguments)


if __name__ == "__main__":
    sys.exit(main())
