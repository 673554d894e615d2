"""Latency, memory, size and agreement of the networks in every runtime that this machine has.

python -m benchmark.inference [--size 512x1024] [--rows WORD ...] [--networks NAME ...]
    [--models DIR] [--checkpoint FILE] [--images PLACE] [--threads 1 2] [--rounds N] [--json]

Each row is measured in a process of its own. Agreement is with the same network in float32 in ONNX
Runtime. Rows of what is not installed, or needs a GPU that is not there, are left out and named.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.inference_models import GOLDENS, NETWORKS, WEIGHTS, write_models
from benchmark.inference_row import REASON
from benchmark.table import Row, print_rows
from cups_core.network.export.comparison import Image, compare
from cups_core.network.export.settings import ExportSettings
from cups_core.runtime.backend import Outputs
from cups_core.runtime.backend_choice import CANDIDATES
from cups_core.runtime.sidecar import read_sidecar, sidecar_path
from cups_training.model_export.sample_images import sample_images
from cups_training.whole_files import read_picture

PROCESSOR = "ONNX Runtime on the processor"
IMAGES = 8
LONGEST_S = 1800
NOTHING = "-"


@dataclass(frozen=True)
class Way:
    """A row of the table.

    Attributes:
        name: in the table; `--rows` chooses by parts of it.
        runtime: title of a candidate of `cups_core.runtime.backend_choice`.
        file: which of the network's files.
        precision: that a processor computes in.
        is_reduced: whether agreement says something.
        is_gpu: threads do not matter.
    """

    name: str
    runtime: str
    file: str
    precision: str = "float32"
    is_reduced: bool = False
    is_gpu: bool = False


CUDA, VIA_TENSORRT = "ONNX Runtime with CUDA", "ONNX Runtime with TensorRT"
WAYS = (
    Way("torch fp32", "PyTorch", WEIGHTS),
    Way("onnxruntime fp32 1000 proposals", PROCESSOR, "fp32_1000"),
    Way("onnxruntime fp32", PROCESSOR, "fp32"),
    Way("onnxruntime int8", PROCESSOR, "int8", is_reduced=True),
    Way("openvino f32", "OpenVINO", "fp32"),
    Way("openvino bf16", "OpenVINO", "fp32", "bfloat16", is_reduced=True),
    Way("openvino int8", "OpenVINO", "int8", is_reduced=True),
    Way("gpu onnxruntime CUDA fp32", CUDA, "fp32", is_gpu=True),
    Way("gpu onnxruntime CUDA fp16", CUDA, "fp16", is_reduced=True, is_gpu=True),
    Way("gpu onnxruntime TensorRT fp16", VIA_TENSORRT, "fp16", is_reduced=True, is_gpu=True),
    Way("gpu tensorrt fp16", "TensorRT", "fp16", is_reduced=True, is_gpu=True),
    Way("gpu tensorrt int8", "TensorRT", "int8_tensorrt", is_reduced=True, is_gpu=True),
)


def main() -> None:
    """Measure and print one table for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="512x1024", help="height x width")
    parser.add_argument("--rows", nargs="+", default=[""], metavar="WORD", help="parts of names")
    parser.add_argument("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    parser.add_argument("--models", type=Path, help="folder that keeps the exported models")
    parser.add_argument("--checkpoint", type=Path, help="weights in place of random ones")
    parser.add_argument("--images", type=Path, default=GOLDENS, help="dataset or folder")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    chosen = parser.parse_args()
    height, width = map(int, chosen.size.split("x"))
    settings = ExportSettings(height=height, width=width)
    # GPU rows need a driver, and each runtime its backend.
    titles = {item.title for item in CANDIDATES}
    ways = [
        way
        for way in WAYS
        if any(word in way.name for word in chosen.rows)
        and way.runtime in titles
        and (not way.is_gpu or shutil.which("nvidia-smi"))
    ]
    if not ways:
        parser.error(f"none of the rows runs here: {', '.join(way.name for way in WAYS)}")
    tables = {}
    with tempfile.TemporaryDirectory() as temporary:
        for network in chosen.networks:
            folder = (chosen.models or Path(temporary)) / f"{network}_{chosen.size}"
            folder.mkdir(parents=True, exist_ok=True)
            table = _Table(network, folder, settings, chosen)
            tables[f"{network} {chosen.size}"] = table.rows(ways)
    print_rows(tables, chosen.json)


class _Table:
    """The rows of one network."""

    def __init__(
        self, network: str, folder: Path, settings: ExportSettings, chosen: argparse.Namespace
    ) -> None:
        self._network, self._folder, self._settings = network, folder, settings
        self._chosen = chosen
        self._images = _pictures(chosen.images)
        self._packed = folder / "images.npz"
        np.savez(self._packed, *self._images[1::2])

    def rows(self, ways: Sequence[Way]) -> list[Row]:
        """One for each way that works here."""
        wanted = dict.fromkeys(["fp32", *(way.file for way in ways)])
        self._parameters = write_models(
            self._network,
            self._folder,
            self._settings,
            self._images[::2],
            self._chosen.checkpoint,
            wanted,
        )
        exact = self._outputs(Way("", PROCESSOR, "fp32"))
        return [row for way in ways if (row := self._row(way, exact))]

    def _row(self, way: Way, exact: list[Outputs]) -> Row | None:
        if not self._file(way).exists():
            return None  # one-stage networks have no proposals
        row: dict[str, str | float] = {
            "row": way.name,
            "params M": self._parameters,
            "file MB": self._file(way).stat().st_size / 1e6,
        }
        for threads in [0] if way.is_gpu else self._chosen.threads:
            found = self._run(way, threads, self._folder / "outputs.npz")
            if REASON in found:
                print(f"{way.name} left out: {found[REASON]}", file=sys.stderr)
                return None
            place = "GPU" if way.is_gpu else f"{threads} thread{'s' * (threads > 1)}"
            row |= {f"{place}, {name} s": round(found[name], 3) for name in ("best", "p50", "p99")}
            row["peak GB"] = found["peak_gb"]
        row |= dict.fromkeys(("semantic %", "detections %", "PQ %"), NOTHING)
        if way.is_reduced:
            row |= self._agreement(exact, _read(self._folder / "outputs.npz"))
        print(f"{way.name}: {found['description']}", file=sys.stderr)
        return row

    def _agreement(self, exact: list[Outputs], found: list[Outputs]) -> Row:
        sidecar = read_sidecar(sidecar_path(self._folder / "fp32.onnx"))
        agreed = compare(exact, found, sidecar, self._images[1::2])
        shares = agreed.semantic, agreed.detections, agreed.panoptic_quality
        names = ("semantic %", "detections %", "PQ %")
        return {
            name: NOTHING if math.isnan(share) else 100 * share
            for name, share in zip(names, shares, strict=True)
        }

    def _outputs(self, way: Way) -> list[Outputs]:
        path = self._folder / "exact.npz"
        found = self._run(way, max(self._chosen.threads), path, rounds=1)
        if REASON in found:
            raise SystemExit(f"the model in float32 does not run: {found[REASON]}")
        return _read(path)

    def _file(self, way: Way) -> Path:
        return self._folder / (way.file if way.file == WEIGHTS else f"{way.file}.onnx")

    def _run(self, way: Way, threads: int, outputs: Path, rounds: int = 0) -> dict[str, Any]:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "benchmark.inference_row", way.runtime),
                *(str(self._file(way)), str(self._packed), "--precision", way.precision),
                *("--threads", str(threads), "--rounds", str(rounds or self._chosen.rounds)),
                *("--outputs", str(outputs)),
            ],
            stdout=subprocess.PIPE,
            text=True,
            timeout=LONGEST_S,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def _pictures(place: Path) -> list[Image]:
    """Images to calibrate with and, every second one, to compare with."""
    if place != GOLDENS:
        return sample_images(place, 2 * IMAGES)
    return [read_picture(path) for path in sorted(place.glob("image_*.png"))]


def _read(path: Path) -> list[Outputs]:
    found: dict[int, dict[str, Any]] = {}
    with np.load(path) as file:
        for key in file.files:
            number, _, name = key.partition("_")
            found.setdefault(int(number), {})[name] = file[key]
    return [found[number] for number in sorted(found)]


if __name__ == "__main__":
    main()
