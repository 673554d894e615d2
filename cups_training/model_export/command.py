"""`cups export-model`: the weights of a network as one graph for vehicles, with its sidecar.

The command line hands over to it.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cups_core.errors import CupsError
from cups_core.network.export.settings import ExportSettings
from cups_core.settings import make_settings, settings_of
from cups_training.model_export.sample_images import sample_images

if TYPE_CHECKING:
    from cups_core.network.export.agreement import Agreement

NEEDED = ("torch", "onnx", "onnxscript", "onnxruntime")
# Half of them calibrate, half of them are compared.
IMAGES = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    known = {item.name: item for item in settings_of(ExportSettings)}
    default = f"{known['height'].default}x{known['width'].default}"
    parser.add_argument("checkpoint", type=Path, help="weights, see `cups checkpoint inspect`")
    parser.add_argument("output", type=Path, help="NAME.onnx; NAME.yaml is written beside it")
    parser.add_argument(
        "--size", default=default, metavar="HxW", help=f"of the input, default: {default}"
    )
    for name in ("precision", "int8_for", "proposals"):
        item = known[name]
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=type(item.default),
            default=item.default,
            choices=item.choices or None,
            help=f"{item.description}; default: {item.default}",
        )
    parser.add_argument(
        "--calibrate",
        type=Path,
        metavar="DATASET",
        help="dataset or folder of pictures: int8 takes its ranges from some, and others show how "
        "well fp16 and int8 agree with fp32",
    )
    parser.add_argument(
        "--classes", type=Path, metavar="YAML", help="names and colors of the pseudo-classes"
    )
    parser.add_argument(
        "--network",
        choices=("student", "teacher"),
        default="student",
        help="which one, where a file of self-training holds both; default: student",
    )


def run(chosen: argparse.Namespace) -> int:
    """Write model and sidecar.

    Raises:
        CupsError: a package is missing, a file cannot be used, or the choices do not fit.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise CupsError(
            f"exporting needs {', '.join(missing)}, which is not installed: "
            "pip install 'cups-ros[export]'"
        )
    from cups_core.network.export.checkpoint_export import export_checkpoint

    height, width = _size(chosen.size)
    given = {name: getattr(chosen, name) for name in ("precision", "int8_for", "proposals")}
    settings = make_settings(ExportSettings, {**given, "height": height, "width": width})
    images = sample_images(chosen.calibrate, IMAGES) if chosen.calibrate else []
    print(f"cups export-model: {chosen.checkpoint}, this takes some minutes", file=sys.stderr)
    found = export_checkpoint(
        chosen.checkpoint,
        chosen.output,
        settings,
        images=images,
        class_names=chosen.classes,
        network=chosen.network,
    )
    megabytes = chosen.output.stat().st_size / 1e6
    print(f"{chosen.output}: {settings.precision}, {height}x{width}, {megabytes:.0f} MB")
    if found is not None:
        print(f"  {_words(found)}")
    elif settings.precision != "fp32":
        print("  not compared with fp32: give pictures with --calibrate")
    return 0


def _size(words: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)x(\d+)", words)
    if not found:
        raise CupsError(f"--size {words}: expected height x width, such as 512x1024")
    return int(found[1]), int(found[2])


def _words(found: Agreement) -> str:
    detections = "" if math.isnan(found.detections) else f"detections {found.detections:.1%}, "
    return (
        f"agrees with fp32 on {found.images} images: {detections}semantic cells "
        f"{found.semantic:.1%}, panoptic quality {found.panoptic_quality:.1%}"
    )
