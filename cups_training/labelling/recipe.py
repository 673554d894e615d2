"""What a label is made with: the settings of the recipes, and the files of weights.

The command line fills it in, every clip is labelled with it, and it is written beside the labels.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cups_core.motion.clip import ClipSettings
from cups_core.motion.sf2se3.ensemble import ClusteringSettings as RigidMotionSettings
from cups_core.network.settings import RaftSettings
from cups_core.semantics.clustering import ClusteringSettings
from cups_core.semantics.depth_guided import InferenceSettings
from cups_core.semantics.mean_field import MeanFieldSettings
from cups_core.semantics.weight_free_codes import WeightFreeSettings
from cups_core.settings import setting
from cups_training.whole_files import FileError

FORMAT = 1
"""Of the files that one recipe's folder holds; another number is another layout."""


@dataclass(frozen=True)
class LabelSettings:
    """Which parts make a label, and what is labelled at once."""

    motion: str = setting(
        "region",
        "how moving objects are found: region growing, or SF2SE3 rigid motions",
        choices=("region", "sf2se3"),
    )
    crf: bool = setting(False, "a random field moves the borders of the classes to image edges")
    vote: str = setting(
        "track",
        "which pixels vote for the class of a mask: those of its frame, or of its whole track",
        choices=("track", "frame"),
    )
    fit_frames: int = setting(
        200, "frames of all drives that a lacking semantic model is fitted to", minimum=1
    )
    clip_frames: int = setting(40, "frames that are labelled at once", minimum=2)
    margin_frames: int = setting(
        4, "frames before and after a clip that are looked at as well", minimum=0
    )


@dataclass(frozen=True)
class Recipe:
    """Every knob that changes a label, by group; what only judges labels is with the gate."""

    labels: LabelSettings
    clips: ClipSettings
    objects: RigidMotionSettings
    inference: InferenceSettings
    features: WeightFreeSettings
    clustering: ClusteringSettings
    field: MeanFieldSettings
    raft: RaftSettings


GROUPS: dict[str, type[Any]] = {
    "labels": LabelSettings,
    "clips": ClipSettings,
    "objects": RigidMotionSettings,
    "inference": InferenceSettings,
    "features": WeightFreeSettings,
    "clustering": ClusteringSettings,
    "field": MeanFieldSettings,
    "raft": RaftSettings,
}

RECIPES: dict[str, dict[str, str]] = {
    "fast": {
        "full_size": "false",
        "longest_stride": "1",
        "both_directions": "false",
        "half_size": "true",
        "margin_frames": "1",
    },
    "full": {"motion": "sf2se3", "crf": "true"},
}
"""What each recipe sets differently from the defaults."""


@dataclass(frozen=True)
class Weights:
    """Files that a user brings; None = the part that needs no weights.

    Attributes:
        raft: RAFT with SMURF weights, for flow and disparity.
        depthg: vision transformer with the DepthG head, for semantics.
        semantics: a model that `cups fit-semantics` made.
    """

    raft: Path | None = None
    depthg: Path | None = None
    semantics: Path | None = None

    def digests(self) -> dict[str, str]:
        """sha256 of each file that is given, by name.

        Raises:
            FileError: a file cannot be read.
        """
        return {
            field.name: _sha256(path)
            for field in dataclasses.fields(self)
            if (path := getattr(self, field.name)) is not None
        }


def described(recipe: Recipe, weights: Weights) -> dict[str, Any]:
    """All that decides what a label looks like, as it is written beside the labels."""
    return {
        "format": FORMAT,
        "settings": dataclasses.asdict(recipe),
        "weights_sha256": weights.digests(),
    }


def digest(description: Mapping[str, Any]) -> str:
    """Short hash of a description: labels of one digest were made alike."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror})") from problem
