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

from cups_core.errors import InputError
from cups_core.motion.clip import ClipSettings
from cups_core.motion.region_segmenter import RegionSettings
from cups_core.settings import SettingValue, make_settings, setting
from cups_training.whole_files import FileError

FORMAT = 1
"""Of the files that one recipe's folder holds; another number is another layout."""


@dataclass(frozen=True)
class LabelSettings(RegionSettings, ClipSettings):
    """Every knob that changes a label; what only judges labels is with the gate."""

    motion: str = setting(
        "region",
        "how moving objects are found: region growing, or SF2SE3 rigid motions",
        choices=("region", "sf2se3"),
    )
    runs: int = setting(8, "runs of the SF2SE3 ensemble", minimum=1, maximum=64)
    classes: int = setting(
        27, "number of pseudo-classes that a fitted model has", minimum=2, maximum=255
    )
    depth_guided: bool = setting(True, "near pixels trust the low-resolution branch of semantics")
    crf: bool = setting(False, "a random field moves the borders of the classes to image edges")
    vote: str = setting(
        "track",
        "which pixels vote for the class of a mask: those of its frame, or of its whole track",
        choices=("track", "frame"),
    )
    clip_frames: int = setting(
        30, "frames that are labelled at once, a whole number of clips in a drive", minimum=2
    )
    margin_frames: int = setting(
        4, "frames before and after a clip that are looked at as well", minimum=0
    )


RECIPES: dict[str, dict[str, SettingValue]] = {
    "fast": {},
    "full": {"motion": "sf2se3", "crf": True},
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


def recipe_settings(recipe: str, changes: Mapping[str, SettingValue]) -> LabelSettings:
    """The settings of a named recipe with some of them changed.

    Raises:
        InputError: there is no such recipe or setting, or a value does not fit.
    """
    if recipe not in RECIPES:
        raise InputError(f"recipe: expected one of {', '.join(RECIPES)}, found {recipe!r}")
    return make_settings(LabelSettings, {**RECIPES[recipe], **changes})


def described(settings: LabelSettings, weights: Weights) -> dict[str, Any]:
    """All that decides what a label looks like, as it is written beside the labels."""
    return {
        "format": FORMAT,
        "settings": dataclasses.asdict(settings),
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
