"""How far a build of an engine is: nested phases with steps, in words and percent.

TensorRT's progress monitor feeds it from several threads; the build prints what it tells.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

TellProgress = Callable[[str, float], None]


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class BuildProgress:
    """The phases that are under way.

    Args:
        tell: gets the name of the phase that moved, and percent of the outermost phase that is
            done; it is called from whatever thread TensorRT uses, one at a time.
    """

    def __init__(self, tell: TellProgress) -> None:
        self._tell = tell
        self._phases: dict[str, _Phase] = {}
        self._lock = threading.Lock()

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """A phase begins, within another or on its own."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(steps, 1))
            self._tell(name, self._percent(name))

    def step(self, name: str, step: int) -> None:
        """A phase has done a step, counted from 0; steps may be skipped."""
        with self._lock:
            phase = self._phases[name]
            phase.done = max(phase.done, min(step + 1, phase.steps))
            self._tell(name, self._percent(name))

    def finish(self, name: str) -> None:
        """A phase is over, even if not all its steps were."""
        with self._lock:
            phase = self._phases[name]
            phase.done = phase.steps
            self._tell(name, self._percent(name))
            del self._phases[name]

    def _percent(self, name: str) -> float:
        """Of the outermost phase: each inner one is a part of one step of the phase around it."""
        part = 0.0
        phase: _Phase | None = self._phases[name]
        while phase is not None:
            part = min((phase.done + part) / phase.steps, 1.0)
            phase = None if phase.parent is None else self._phases.get(phase.parent)
        return 100 * part
