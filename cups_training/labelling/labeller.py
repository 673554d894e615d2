"""Puts the parts of a recipe together: estimators, segmenter, semantics, and the clip's labeller.

Each worker process does it once for all clips that it labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cups_core.motion.clip import ClipMotion
from cups_core.motion.region_segmenter import RegionSegmenter
from cups_core.motion.segmentation import MotionSegmenter
from cups_core.motion.sf2se3.ensemble import RigidMotionClustering
from cups_training.dataset.drive import Drive
from cups_training.labelling.clip_labelling import ClipLabeller
from cups_training.labelling.clip_result import ClipResult
from cups_training.labelling.clips import Clip
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.networks import load_raft
from cups_training.labelling.recipe import Recipe, Weights
from cups_training.labelling.semantics import load_classifier


@dataclass(frozen=True)
class LabelTask:
    """Everything that a worker must know to label one clip.

    Attributes:
        drive: folder of the drive.
        folder: of the labels.
        clip: which frames.
        recipe: what it is made with.
        weights: files that the user brought.
    """

    drive: Path
    folder: LabelFolder
    clip: Clip
    recipe: Recipe
    weights: Weights


def label_clip(task: LabelTask) -> ClipResult:
    """Label one clip; the function of every worker.

    Raises:
        CupsError: weights do not fit, or a file cannot be written.
    """
    labeller = _labeller(task.folder, task.recipe, task.weights)
    return labeller.label(Drive(task.drive), task.clip)


@lru_cache(maxsize=1)
def _labeller(folder: LabelFolder, recipe: Recipe, weights: Weights) -> ClipLabeller:
    matcher = None if weights.raft is None else load_raft(weights.raft, recipe.raft)
    return ClipLabeller(
        folder,
        ClipMotion(recipe.clips, _segmenter(recipe), matcher),
        load_classifier(folder, recipe, weights),
        recipe.labels.vote,
        recipe.labels.margin_frames,
    )


def _segmenter(recipe: Recipe) -> MotionSegmenter:
    if recipe.labels.motion == "sf2se3":
        return RigidMotionClustering(recipe.objects)
    return RegionSegmenter(recipe.objects)
