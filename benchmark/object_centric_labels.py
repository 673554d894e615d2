"""Labels a dataset once more with object-centric masks in place of motion masks.

    cups label DIR
    python -m benchmark.object_centric_labels --dataset DIR [--like fast] [--name object_centric]
    python -m benchmark.stage1 --dataset DIR --labels fast object_centric

All else stays as in the labels that it is told to be like: their semantic maps, the features of
their semantic model, the vote, the test that tells thing from stuff, the panoptic files.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.object_centric import MASKS, object_masks, sharpen
from cups_core.errors import CupsError, InputError
from cups_core.frames import StereoFrame
from cups_core.motion.clip import FrameMotion
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.segments import MotionSegments, MovingObject, areas_and_boxes
from cups_core.motion.semi_global_matching import SemiGlobalMatching
from cups_core.semantics.scene_view import CodeExtractor
from cups_core.semantics.surface_geometry import view_scene
from cups_core.semantics.weight_free_model import WeightFreeModel
from cups_core.settings import make_settings
from cups_core.thing_stuff import ThingStuffSettings
from cups_training.dataset.dataset import Dataset
from cups_training.labelling.clip_labelling import ClipLabeller
from cups_training.labelling.clips import cut_into_clips
from cups_training.labelling.finishing import finish
from cups_training.labelling.gate import GateSettings
from cups_training.labelling.label_folder import LabelFolder
from cups_training.labelling.panoptic_clip import write_panoptic
from cups_training.whole_files import read_json, read_picture


class ObjectCentricMotion:
    """Gives masks of single pictures in the form in which a clip's motion comes.

    Args:
        extractor: makes the codes that are cut.
    """

    def __init__(self, extractor: CodeExtractor) -> None:
        self._extractor = extractor
        self._stereo = SemiGlobalMatching()

    def label(self, frames: Iterable[StereoFrame]) -> list[FrameMotion]:
        """Masks of each frame; every mask is a track of its own."""
        return [self._look_at(number, frame) for number, frame in enumerate(frames)]

    def _look_at(self, number: int, frame: StereoFrame) -> FrameMotion:
        disparity, _ = self._stereo.disparities(frame.left, frame.right)
        view = view_scene(frame, disparity).padded(self._extractor.cell_px)
        height, width = frame.rig.shape
        masks = object_masks(self._extractor.codes([view])[0], view.shape)[:height, :width]
        masks = sharpen(np.ascontiguousarray(masks), frame.left)
        masks[masks > 0] += np.uint16(number * MASKS)
        unknown = np.full(3, np.nan)
        objects = tuple(
            MovingObject(name, 1.0, area, box, unknown, unknown)
            for name, (area, box) in areas_and_boxes(masks).items()
        )
        return FrameMotion(
            frame.stamp_ns,
            MotionSegments(masks, objects),
            disparity,
            RigidTransform.identity(),
            float((disparity > 0).mean()),
            math.nan,
            "",
        )


class StoredSemantics:
    """The semantic maps of other labels of one drive, as a classifier."""

    def __init__(self, folder: LabelFolder, drive: str, classes: int) -> None:
        self.classes = classes
        self._folder = folder
        self._drive = drive

    def classify(self, frame: StereoFrame, disparity: NDArray[np.float32]) -> NDArray[Any]:
        """The map of this frame.

        Raises:
            InputError: the other labels have none.
        """
        path = self._folder.semantic(self._drive, frame.stamp_ns)
        if not path.exists():
            raise InputError(f"{path.name}: expected among {self._folder.root.name}, found none")
        return read_picture(path)


def label_object_centric(
    dataset: Dataset, like: LabelFolder, folder: LabelFolder, model: WeightFreeModel
) -> None:
    """Write the labels.

    Args:
        dataset: with the drives.
        like: complete labels of it.
        folder: of the new labels.
        model: whose features are cut.

    Raises:
        CupsError: the labels that these shall be like are not complete.
    """
    motion = ObjectCentricMotion(model.extractor)
    recipe = read_json(like.recipe)
    folder.claim({**recipe, "masks": "object-centric"})
    drives = {drive.name: drive for drive in dataset.drives}
    lengths = {name: len(drive) for name, drive in drives.items()}
    clips = cut_into_clips(lengths, recipe["settings"]["labels"]["clip_frames"])
    for clip in clips:
        if not folder.clip(clip.drive, clip.first).exists():
            semantics = StoredSemantics(like, clip.drive, len(model.centroids))
            ClipLabeller(folder, motion, semantics, "frame", 0).label(drives[clip.drive], clip)
            print(f"{clip.drive}: {clip.stop} frames", file=sys.stderr)
    split = make_settings(ThingStuffSettings, read_json(like.thing_stuff)["settings"])
    # Empty frames are a finding here, not a fault.
    gate = GateSettings(maximum_empty=1.0, maximum_failed=1.0)
    finish(dataset, folder, clips, folder.root.name, split, gate, lambda t: map(write_panoptic, t))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--like", default="fast", help="labels to be like (default fast)")
    parser.add_argument("--name", default="object_centric", help="of the new labels")
    parser.add_argument("--semantics", type=Path, help="weight-free model (default that of --like)")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        dataset = Dataset(given.dataset)
        like, folder = (LabelFolder(dataset.labels(name)) for name in (given.like, given.name))
        model = WeightFreeModel.read(given.semantics or like.semantics)
        label_object_centric(dataset, like, folder, model)
    except CupsError as problem:
        raise SystemExit(str(problem)) from problem


if __name__ == "__main__":
    main()
