"""`cups fit-semantics`: pseudo-classes for one's own drives, in a file that `cups label` reads.

The command line hands over to it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.motion.semi_global_matching import SemiGlobalMatching
from cups_core.semantics.clustering import ClusteringSettings
from cups_core.semantics.weight_free_codes import WeightFreeSettings
from cups_core.semantics.weight_free_model import WeightFreeModel
from cups_core.settings import make_settings
from cups_training.dataset.dataset import Dataset
from cups_training.semantics_fitting.frame_sample import sampled_frames
from cups_training.semantics_fitting.weight_free_fit import fit_weight_free
from cups_training.whole_files import write_whole

WEIGHT_FREE, DINO = "weight-free", "dino"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    parser.add_argument("dataset", type=Path, help="folder with drives/")
    parser.add_argument("--features", choices=(WEIGHT_FREE, DINO), default=WEIGHT_FREE)
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="state dict of DINO or DINOv2, for dino"
    )
    parser.add_argument("--classes", type=int, default=27, help="pseudo-classes (default 27)")
    parser.add_argument("--frames", type=int, default=200, help="frames to learn from")
    parser.add_argument("--steps", type=int, default=5000, help="updates of the head, for dino")
    parser.add_argument("--seed", type=int, default=0, help="of every random choice")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("semantics.npz"),
        help="file to write (default: %(default)s)",
    )


def run(chosen: argparse.Namespace) -> int:
    """Fit, write the file, print what was found as one line of JSON.

    Raises:
        CupsError: the dataset, the weights, a value or the disk does not allow it.
    """
    if (chosen.weights is None) != (chosen.features == WEIGHT_FREE):
        raise InputError(
            f"--features {chosen.features}: "
            + (
                "expected --weights FILE, a state dict of DINO or DINOv2"
                if chosen.weights is None
                else "takes no --weights; did you mean --features dino?"
            )
        )
    clustering = make_settings(ClusteringSettings, {"classes": chosen.classes, "seed": chosen.seed})
    dataset = Dataset(chosen.dataset)
    with Progress(console=Console(stderr=True)) as progress:
        frames = _with_progress(dataset, chosen, progress)
        fit = _fit_weight_free if chosen.features == WEIGHT_FREE else _fit_transformer
        summary = fit(chosen, clustering, frames, progress)
    Console().print_json(json.dumps({"file": str(chosen.out), "classes": chosen.classes} | summary))
    return 0


def _with_progress(
    dataset: Dataset, chosen: argparse.Namespace, progress: Progress
) -> Iterator[StereoFrame]:
    total = min(chosen.frames, sum(len(drive) for drive in dataset.drives))
    task = progress.add_task("frames", total=total)
    for frame in sampled_frames(dataset.drives, chosen.frames, chosen.seed):
        yield frame
        progress.advance(task)


def _fit_weight_free(
    chosen: argparse.Namespace,
    clustering: ClusteringSettings,
    frames: Iterator[StereoFrame],
    progress: Progress,
) -> dict[str, Any]:
    settings = WeightFreeSettings()
    fit = fit_weight_free(frames, SemiGlobalMatching(), settings, clustering)
    provenance = {
        "features": dataclasses.asdict(settings),
        "clustering": dataclasses.asdict(clustering),
        "frames": chosen.frames,
        "drives": {drive.name: drive.fingerprint() for drive in Dataset(chosen.dataset).drives},
    }
    model = WeightFreeModel(fit.extractor, fit.clustering.centroids, provenance)
    write_whole(chosen.out, model.content())
    return {"similarity": fit.clustering.similarity}


def _fit_transformer(
    chosen: argparse.Namespace,
    clustering: ClusteringSettings,
    frames: Iterator[StereoFrame],
    progress: Progress,
) -> dict[str, Any]:
    # PyTorch is loaded by those alone who train with it.
    from cups_core.network.checkpoint_files import read_checkpoint
    from cups_core.network.segmentation_head import save_head
    from cups_core.network.settings import ComputeSettings
    from cups_core.network.token_features import TokenFeatures
    from cups_training.semantics_fitting.head.training import HeadSettings
    from cups_training.semantics_fitting.head.transformer_fit import fit_transformer

    features = TokenFeatures(read_checkpoint(chosen.weights), ComputeSettings())
    training = make_settings(HeadSettings, {"steps": chosen.steps, "seed": chosen.seed})
    task = progress.add_task("head", total=training.steps)
    losses: list[float] = []

    def on_step(step: int, loss: float) -> None:
        losses.append(loss)
        progress.update(task, completed=step, description=f"head, loss {loss:.4f}")

    fit = fit_transformer(frames, features, training, clustering, on_step)
    save_head(chosen.out, fit.head, fit.clustering.centroids, features.sha256)
    return {
        "similarity": fit.clustering.similarity,
        "first_loss": losses[0],
        "last_loss": losses[-1],
    }
