"""What the lifecycle nodes share: transitions that tell their errors and a main that ends well.

The node classes use `told`, their entry points `run`.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode
from rclpy.lifecycle.node import TransitionCallbackReturn
from rclpy.signals import SignalHandlerOptions

from cups_core.errors import CupsError
from cups_ros.fastdds_profile import use_fastdds_profile
from cups_ros.interruption import interruption

POLL_S = 0.2


class PerceptionNode(Protocol):
    """A lifecycle node that `run` can start and stop."""

    @property
    def autostart(self) -> bool:
        """Whether it configures and activates itself."""
        ...

    def stop(self) -> None:
        """End what runs besides the executor."""
        ...


@contextmanager
def told(node: LifecycleNode, transition: str) -> Iterator[None]:
    """Log an error that leaves a transition; rclpy would only say that the transition failed."""
    failed = True
    try:
        yield
        failed = False
    finally:
        if failed:
            node.get_logger().error(f"{transition} failed:\n{traceback.format_exc()}")


def run(make_node: Callable[[], LifecycleNode], arguments: list[str] | None) -> int:
    """Run a node until it is interrupted.

    Args:
        make_node: called after `rclpy.init`.
        arguments: of the command line; None takes those of the process.

    Returns:
        The exit code: 1 when the node could not start.
    """
    use_fastdds_profile()
    interrupted = interruption()
    with rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO):
        try:
            node = make_node()
        except CupsError as error:
            sys.stderr.write(f"cups_ros: {error}\n")
            return 1
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            if node.autostart and not _start(node):
                return 1
            while not interrupted.is_set():
                executor.spin_once(timeout_sec=POLL_S)
        finally:
            node.stop()
            executor.shutdown()
            node.destroy_node()
    return 0


def _start(node: LifecycleNode) -> bool:
    return all(
        transition() == TransitionCallbackReturn.SUCCESS
        for transition in (node.trigger_configure, node.trigger_activate)
    )
