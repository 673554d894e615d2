"""From stereo pairs and their pseudo-labels to recorded bursts: waits, asks the policy, writes.

The harvest node's worker feeds it with serialised messages; they are written as they came.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, NamedTuple

from rclpy.serialization import serialize_message
from std_msgs.msg import String

from cups_core.frame_quality import FrameQuality
from cups_core.harvesting.observation import Observation, SeenObject
from cups_core.harvesting.policy import Burst, HarvestPolicy, Verdict
from cups_ros.harvest_bag import BagWriteError, HarvestBag
from cups_ros.harvest_file import RecordedTopic

NANOSECONDS_PER_SECOND = 1_000_000_000
# Without a label for that long the labels count as absent, and nobody waits for them.
LABEL_SILENCE_NS = 5 * NANOSECONDS_PER_SECOND
DISK_FULL = "disk full or failing"
DIGITS = 4


class Serialized(NamedTuple):
    """A message as it came."""

    topic: RecordedTopic
    received_ns: int
    data: bytes


class PairItem(NamedTuple):
    """A stereo pair with its camera_infos and the quality of its left picture."""

    stamp_ns: int
    messages: tuple[Serialized, ...]
    quality: FrameQuality


class LabelItem(NamedTuple):
    """A pseudo-label with what the policy needs of it."""

    stamp_ns: int
    message: Serialized
    objects: tuple[SeenObject, ...]


class _Waiting(NamedTuple):
    pair: PairItem
    label: LabelItem | None


class HarvestRecorder:
    """Owns the memory of recent messages, the policy and the bag; used by one thread.

    Attributes:
        seen: number of pairs.
        labelled: number of those with a pseudo-label.
        kept: number of pairs written.
        bursts: number of bursts written.
        drops: number of pairs not kept, by reason.
        late_labels: number of labels whose pair had been judged already, or never came.
        problem: why nothing can be written; empty when all is well.
    """

    def __init__(
        self,
        policy: HarvestPolicy,
        bag: HarvestBag,
        reasons_topic: RecordedTopic,
        label_wait_s: float,
        on_burst: Callable[[str], None],
        on_problem: Callable[[str], None],
    ) -> None:
        """Record what the policy chooses.

        Args:
            policy: decides.
            bag: is written to.
            reasons_topic: where the reasons of each burst are recorded, std_msgs/msg/String.
            label_wait_s: how long a pair waits for its label, by the stamps.
            on_burst: is told the reasons of each burst, JSON.
            on_problem: is told when writing stops (a sentence) and when it goes on ("").
        """
        self.seen = self.labelled = self.kept = self.bursts = self.late_labels = 0
        self.drops: Counter[str] = Counter()
        self.problem = ""
        self._policy = policy
        self._bag = bag
        self._reasons_topic = reasons_topic
        self._wait_ns = int(label_wait_s * NANOSECONDS_PER_SECOND)
        self._on_burst = on_burst
        self._on_problem = on_problem
        self._unlabelled: deque[PairItem] = deque()
        self._labels: dict[int, LabelItem] = {}
        self._newest_label_ns: int | None = None
        self._judging: dict[int, _Waiting] = {}
        self._last_written: dict[RecordedTopic, bytes] = {}

    @property
    def hears_labels(self) -> bool:
        """Whether pseudo-labels have come lately."""
        if self._newest_label_ns is None:
            return False
        newest_ns = self._unlabelled[-1].stamp_ns if self._unlabelled else self._newest_label_ns
        return 0 <= newest_ns - self._newest_label_ns <= LABEL_SILENCE_NS

    def add_pair(self, pair: PairItem) -> None:
        """Take the next stereo pair."""
        if self._unlabelled and pair.stamp_ns <= self._unlabelled[-1].stamp_ns:
            self._judge_all()
        self.seen += 1
        self._unlabelled.append(pair)
        self._judge_ripe()
        try:
            self._bag.tend()
        except BagWriteError as error:
            self._stop(error)

    def add_label(self, label: LabelItem) -> None:
        """Take a pseudo-label; the pairs before it will get none any more."""
        self._newest_label_ns = label.stamp_ns
        if not any(pair.stamp_ns == label.stamp_ns for pair in self._unlabelled):
            self.late_labels += 1
            return
        self._labels[label.stamp_ns] = label
        self._judge_ripe()

    def finish(self) -> None:
        """Judge what still waits and close the bag.

        Raises:
            BagWriteError: the file in progress could not be finished.
        """
        self._judge_all()
        self._bag.close()

    def _judge_all(self) -> None:
        while self._unlabelled:
            self._judge(self._unlabelled.popleft())
        self._labels.clear()
        self._newest_label_ns = None
        self._act(self._policy.finish())

    def _judge_ripe(self) -> None:
        while self._unlabelled:
            oldest_ns, newest_ns = (self._unlabelled[place].stamp_ns for place in (0, -1))
            label_ns = self._newest_label_ns
            if (
                self.hears_labels
                and label_ns is not None
                and label_ns < oldest_ns
                and newest_ns - oldest_ns < self._wait_ns
            ):
                return
            self._judge(self._unlabelled.popleft())

    def _judge(self, pair: PairItem) -> None:
        label = self._labels.pop(pair.stamp_ns, None)
        self.labelled += label is not None
        waiting = _Waiting(pair, label)
        self._judging[pair.stamp_ns] = waiting
        observation = Observation(
            pair.stamp_ns,
            sum(len(message.data) for message in _messages(waiting)),
            pair.quality,
            None if label is None else label.objects,
        )
        self._act(self._policy.observe(observation))

    def _act(self, verdict: Verdict) -> None:
        for stamp_ns, reason in verdict.dropped:
            self.drops[reason.value] += 1
            del self._judging[stamp_ns]
        for burst in verdict.bursts:
            self._write(burst, [self._judging.pop(stamp_ns) for stamp_ns in burst.stamps_ns])

    def _write(self, burst: Burst, frames: list[_Waiting]) -> None:
        """Write a burst, or count it as lost while the disk refuses."""
        before = self._bag.written_bytes
        messages = [message for frame in frames for message in _messages(frame)]
        try:
            self._bag.require_space(sum(len(message.data) for message in messages))
            told = self._tell(burst, frames)
            if self._bag.is_between_files:
                self._last_written.clear()
            for message in (*messages, told):
                # A camera_info goes with many pairs and is written once.
                if self._last_written.get(message.topic) is not message.data:
                    self._bag.write(message.topic, message.received_ns, message.data)
                    self._last_written[message.topic] = message.data
        except BagWriteError as error:
            self.drops[DISK_FULL] += len(frames)
            self._stop(error)
            return
        self.kept += len(frames)
        self.bursts += 1
        try:
            self._bag.commit()
        except BagWriteError as error:
            # It waits in memory and is written first when there is space.
            self._stop(error)
        else:
            self._go_on()
        self._policy.charge(self._bag.written_bytes - before)

    def _stop(self, error: BagWriteError) -> None:
        if not self.problem:
            self._on_problem(str(error))
        self.problem = str(error)

    def _go_on(self) -> None:
        if self.problem:
            self.problem = ""
            self._on_problem("")

    def _tell(self, burst: Burst, frames: list[_Waiting]) -> Serialized:
        text = json.dumps(_report(burst, frames))
        self._on_burst(text)
        received_ns = frames[-1].pair.messages[0].received_ns
        return Serialized(
            self._reasons_topic, received_ns, bytes(serialize_message(String(data=text)))
        )


def _messages(frame: _Waiting) -> tuple[Serialized, ...]:
    return (*frame.pair.messages, frame.label.message) if frame.label else frame.pair.messages


def _report(burst: Burst, frames: list[_Waiting]) -> dict[str, Any]:
    score = burst.score
    return {
        "keyframe_ns": burst.keyframe_ns,
        "frames_ns": list(burst.stamps_ns),
        "reasons": list(burst.reasons),
        "score": round(score.total, DIGITS),
        "threshold": round(burst.threshold, DIGITS),
        "motion": round(score.motion, DIGITS) if score.is_labelled else None,
        "novelty": round(score.novelty, DIGITS),
        "uncertainty": round(score.uncertainty, DIGITS) if score.is_labelled else None,
        "labels": sum(frame.label is not None for frame in frames),
    }
