"""The privacy arguments of `cups export`, and the anonymizer that they ask for.

Exporting without a detector needs a word from the user: nothing is left readable by accident.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cups_core.errors import InputError
from cups_training.dataset.dataset import Dataset
from cups_training.privacy.anonymizer import Anonymizer
from cups_training.privacy.blurring import BlurSettings
from cups_training.privacy.label_zones import ALL, NONE, THINGS, LabelZones, ZoneSettings
from cups_training.privacy.regions import RegionDetector
from cups_training.setting_words import setting_names, settings_from_words, split_words

GROUPS = {"blur": BlurSettings, "zones": ZoneSettings}


def add_privacy_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a group of arguments to a parser."""
    group = parser.add_argument_group(
        "privacy", "faces and number plates are made unreadable; choose at least one"
    )
    group.add_argument(
        "--privacy-detector",
        type=Path,
        action="append",
        default=[],
        metavar="MODEL.onnx",
        help="a detector with MODEL.yaml beside it; may be given several times",
    )
    group.add_argument(
        "--privacy-zones",
        metavar="RECIPE",
        help="zones of heads and plates in the labels of this recipe; weaker than a detector",
    )
    for argument, what in (("--persons", "people"), ("--vehicles", "vehicles")):
        group.add_argument(
            argument,
            metavar="K,K",
            help=f"pseudo-classes that may hold {what}, or {THINGS} (default), {ALL}, {NONE}",
        )
    group.add_argument(
        "--no-privacy",
        action="store_true",
        help="leave faces and plates readable; the manifest says so",
    )
    group.add_argument(
        "--privacy-set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"change a setting: {setting_names(GROUPS)}",
    )


def anonymizer_from(chosen: argparse.Namespace, dataset: Dataset) -> Anonymizer | None:
    """What the arguments ask for; None = explicitly nothing.

    Raises:
        InputError: nothing was chosen, or what was chosen contradicts itself.
        CupsError: a model, its description or the labels cannot be used.
    """
    wants_privacy = bool(chosen.privacy_detector or chosen.privacy_zones)
    if chosen.no_privacy and wants_privacy:
        raise InputError("--no-privacy contradicts --privacy-detector and --privacy-zones")
    if not chosen.privacy_zones and (chosen.persons or chosen.vehicles):
        raise InputError("--persons and --vehicles belong to --privacy-zones RECIPE: give it too")
    if chosen.no_privacy:
        return None
    if not wants_privacy:
        raise InputError(
            "faces and number plates would be readable: give --privacy-detector MODEL.onnx, or "
            "--privacy-zones RECIPE, or say --no-privacy (docs/privacy.md)"
        )
    settings = settings_from_words(split_words(chosen.privacy_set), GROUPS)
    detectors = [_onnx_detector(path) for path in chosen.privacy_detector]
    if chosen.privacy_zones:
        detectors.append(
            LabelZones(
                dataset.labels(chosen.privacy_zones),
                chosen.persons or THINGS,
                chosen.vehicles or THINGS,
                settings["zones"],
            )
        )
    return Anonymizer(detectors, settings["blur"])


def _onnx_detector(model: Path) -> RegionDetector:
    """Loaded here, because ONNX Runtime is an extra that zones and `--no-privacy` do without."""
    try:
        from cups_training.privacy.onnx_detector import OnnxDetector
    except ModuleNotFoundError as missing:
        if missing.name != "onnxruntime":
            raise
        raise InputError(
            f"{model}: detectors need ONNX Runtime: pip install 'cups-ros[inference]', or give "
            "--privacy-zones RECIPE instead"
        ) from missing
    return OnnxDetector(model)
