"""What is known of a dataset's labels when all clips are complete: the figures of a whole run.

Finishing makes it, the report shows it and the command prints it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cups_core.thing_stuff import ClassStatistics, ThingStuff
from cups_training.labelling.clip_result import EMPTY, FAILED, LABELLED
from cups_training.labelling.gate import Verdict
from cups_training.labelling.quality import FrameQuality


@dataclass(frozen=True)
class Finished:
    """The labels of a dataset.

    Attributes:
        recipe: name and digest of the configuration.
        statistics: counts per class over all clips.
        split: things and stuff.
        qualities: of all frames, by drive and stamp.
        verdict: of the gate.
    """

    recipe: str
    statistics: ClassStatistics
    split: ThingStuff
    qualities: tuple[FrameQuality, ...]
    verdict: Verdict

    def summary(self) -> dict[str, Any]:
        """The figures by name, for programs."""
        counts = Counter(quality.status for quality in self.qualities)
        return {
            "recipe": self.recipe,
            "frames": len(self.qualities),
            "labelled": counts[LABELLED],
            "empty": counts[EMPTY],
            "failed": counts[FAILED],
            "masks": sum(quality.masks for quality in self.qualities),
            "dropped_masks": sum(quality.dropped_masks for quality in self.qualities),
            "things": len(self.split.things),
            "stuff": len(self.split.stuff),
            "passed": self.verdict.is_passed,
            "faults": list(self.verdict.faults),
            "causes": dict(self.verdict.causes),
        }
