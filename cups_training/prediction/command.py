"""`cups predict`: a model and images in, panoptic maps, their JSON and overlays out.

The command line hands over to it. An image that cannot be used is named, the others go on.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from cups_core.errors import InputError
from cups_core.panoptic import PanopticMap
from cups_core.runtime.backend import RuntimeSettings
from cups_core.runtime.predictor import Predictor
from cups_core.settings import make_settings, settings_of
from cups_training.prediction.prediction_folder import PredictionFolder
from cups_training.whole_files import FileError, read_picture


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb; those of the runtime come from its settings."""
    parser.add_argument(
        "model", type=Path, help="an .onnx file with its .yaml beside it, or a file of weights"
    )
    parser.add_argument("images", type=Path, nargs="+", metavar="image", help="RGB pictures")
    parser.add_argument(
        "--output", type=Path, default=Path("predictions"), help="folder (default: predictions)"
    )
    parser.add_argument(
        "--names", type=Path, help="YAML file with names and colors of the model's classes"
    )
    for item in settings_of(RuntimeSettings):
        parser.add_argument(
            f"--{item.name.replace('_', '-')}",
            type=type(item.default),
            default=item.default,
            choices=item.choices or None,
            help=f"{item.description} (default: %(default)s)",
        )


def run(chosen: argparse.Namespace) -> int:
    """Predict every image; 0 = all of them could be used.

    Raises:
        CupsError: the model cannot be run, two images have one name, or a file cannot be written.
    """
    _check_names(chosen.images)
    settings = make_settings(
        RuntimeSettings,
        {item.name: vars(chosen)[item.name] for item in settings_of(RuntimeSettings)},
    )
    predictor = Predictor(chosen.model, settings, chosen.names, tell=_tell)
    try:
        return _predict(
            predictor, chosen.images, PredictionFolder(chosen.output, predictor.classes)
        )
    finally:
        predictor.close()


def _predict(predictor: Predictor, images: list[Path], folder: PredictionFolder) -> int:
    times_ms: list[float] = []
    failed = 0
    for path in images:
        try:
            image = read_picture(path)
            if not times_ms:
                warm = predictor.warm_up(image.shape[1], image.shape[0])
            start_ns = time.perf_counter_ns()
            found = predictor.predict(image)
        except (FileError, InputError) as problem:
            failed += 1
            _tell(f"{problem}" if str(path) in str(problem) else f"{path}: {problem}")
            continue
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
        folder.add(path, image, found)
        print(f"{path}: {_summary(found)}")
    if times_ms:
        sidecar = predictor.sidecar
        folder.finish(
            {
                "model_sha256": sidecar.sha256,
                "backend": predictor.backend.description,
                "passed_over": list(predictor.backend.passed_over),
            }
        )
        print(f"backend       {predictor.backend.description}")
        print(f"first frame   {warm.first_ms:.0f} ms")
        print(f"steady        {warm.steady_ms:.0f} ms, images {np.median(times_ms):.0f} ms")
        print(f"written to    {folder.root}")
    if failed:
        _tell(f"{failed} of {len(images)} images could not be used")
    return 1 if failed else 0


def _check_names(images: list[Path]) -> None:
    twice = [name for name, count in Counter(path.stem for path in images).items() if count > 1]
    if twice:
        raise InputError(
            f"several images are named {twice[0]}: their maps would have one name; predict each "
            "folder on its own, with another --output"
        )


def _summary(found: PanopticMap) -> str:
    void = np.mean(found.segments == 0)
    counts = Counter(item.class_name or str(item.class_id) for item in found.table)
    words = [f"{count} {name}" if count > 1 else name for name, count in counts.items()]
    return f"{', '.join(words) or 'nothing'}; {void:.0%} void"


def _tell(words: str) -> None:
    print(f"cups predict: {words}", file=sys.stderr)
