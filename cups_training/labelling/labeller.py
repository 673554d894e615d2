"""Puts the parts of a recipe together: estimators, segmenter, semantics, and the clip's labeller.

Each worker process does it once for all clips that it labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cups_core.motion.clip import ClipMotion
from cups_core.motion.region_segmenter import RegionSegmenter
from cups_training.dataset.drive import Drive
from cups_training.labelling.clip_labelling import ClipLabeller
from cups_training.labelling.clip_result import ClipResult
from cups_training.labelling.clips import Clip
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.recipe import LabelSettings, Weights
from cups_training.labelling.semantics import Bands


@dataclass(frozen=True)
class LabelTask:
    """Everything that a worker must know to label one clip.

    Attributes:
        drive: folder of the drive.
        folder: of the labels.
        clip: which frames.
        settings: of the recipe.
        weights: files that the user brought.
    """

    drive: Path
    folder: LabelFolder
    clip: Clip
    settings: LabelSettings
    weights: Weights


def label_clip(task: LabelTask) -> ClipResult:
    """Label one clip; the function of every worker.

    Raises:
        CupsError: weights do not fit, or a file cannot be written.
    """
    labeller = _labeller(task.folder, task.settings, task.weights)
    return labeller.label(Drive(task.drive), task.clip)


@lru_cache(maxsize=1)
def _labeller(folder: LabelFolder, settings: LabelSettings, weights: Weights) -> ClipLabeller:
    motion = ClipMotion(settings, RegionSegmenter(settings))
    return ClipLabeller(
        folder, motion, Bands(settings.classes), settings.vote, settings.margin_frames
    )
