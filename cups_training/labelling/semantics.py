"""The semantic model of a recipe: one that the user brings, or one fitted on the dataset itself.

The command has a lacking model fitted before anything is labelled; every worker loads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from cups_core.frames import StereoFrame
from cups_core.motion.semi_global_matching import SemiGlobalMatching, SemiGlobalMatchingSettings
from cups_core.semantics.semantic_classifier import SemanticClassifier
from cups_core.semantics.weight_free_model import WeightFreeModel
from cups_training.dataset.dataset import Dataset
from cups_training.labelling.executors import one_thread
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.networks import load_depthg
from cups_training.labelling.pictures import read_pictures
from cups_training.labelling.recipe import Recipe, Weights
from cups_training.semantics_fitting.frame_sample import choose_frames
from cups_training.semantics_fitting.weight_free_fit import fit_weight_free
from cups_training.whole_files import write_whole


def fit_where_lacking(
    dataset: Dataset, folder: LabelFolder, recipe: Recipe, weights: Weights
) -> bool:
    """Fit a model on the dataset where none is given and none was fitted before.

    Every shard may do it: the same dataset and recipe give the same bytes.

    Returns:
        Whether a model was fitted.

    Raises:
        InputError: there are too few usable frames.
        FileError: the model cannot be written.
    """
    if weights.depthg or weights.semantics or folder.semantics.exists():
        return False
    matching = SemiGlobalMatchingSettings(range_px=_matching_range(recipe))
    with one_thread():
        fit = fit_weight_free(
            _usable_frames(dataset, recipe),
            SemiGlobalMatching(matching),
            recipe.features,
            recipe.clustering,
        )
    provenance = {
        "features": dataclasses.asdict(recipe.features),
        "clustering": dataclasses.asdict(recipe.clustering),
        "frames": recipe.labels.fit_frames,
        "drives": {drive.name: drive.fingerprint() for drive in dataset.drives},
    }
    model = WeightFreeModel(fit.extractor, fit.clustering.centroids, provenance)
    write_whole(folder.semantics, model.content())
    return True


def load_classifier(folder: LabelFolder, recipe: Recipe, weights: Weights) -> SemanticClassifier:
    """The classifier of the recipe.

    Raises:
        CupsError: a file is missing or holds something else, or PyTorch is lacking.
    """
    field = recipe.field if recipe.labels.crf else None
    if weights.depthg is None:
        model = WeightFreeModel.read(weights.semantics or folder.semantics)
        return SemanticClassifier(model.extractor, model.centroids, recipe.inference, field)
    network = load_depthg(weights.depthg, weights.semantics, recipe.raft)
    return SemanticClassifier(network, network.centroids, recipe.inference, field)


def _usable_frames(dataset: Dataset, recipe: Recipe) -> Iterator[StereoFrame]:
    """A sample of all drives, without the pictures that cannot be labelled anyway."""
    lengths = [len(drive) for drive in dataset.drives]
    sample = choose_frames(lengths, recipe.labels.fit_frames, recipe.clustering.seed)
    for drive, index in sample:
        (picture,) = read_pictures(dataset.drives[drive], range(index, index + 1))
        if picture.frame is not None:
            yield picture.frame


def _matching_range(recipe: Recipe) -> int:
    """The range that the matcher can search, in steps of 16 pixels."""
    return -(-recipe.clips.disparity_range_px // 16) * 16
