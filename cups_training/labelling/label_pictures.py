"""Labels over their pictures, some frames of all drives on one sheet; finishing makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.drawing import overlay_segments
from cups_core.motion.segments import MotionSegments, MovingObject
from cups_core.pseudo_labels import PseudoLabel
from cups_training.contact_sheet import contact_sheet
from cups_training.dataset.dataset import Dataset
from cups_training.labelling.clip_result import FrameRecord
from cups_training.labelling.panoptic_clip import PanopticTask, read_label
from cups_training.whole_files import FileError, read_picture

FRAMES, COLUMNS, WIDTH = 12, 4, 400
COLOR_SHARE = 0.6
HATCH_PX = 12
NONE = "no frame has a label"
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 86]

Image = NDArray[np.uint8]


class LabelledFrame(NamedTuple):
    """A frame that has a label, and the task that wrote it."""

    task: PanopticTask
    record: FrameRecord


def label_sheet(dataset: Dataset, frames: Sequence[LabelledFrame]) -> bytes:
    """Frames with masks, evenly spread: the moving objects, and beside them the whole label.

    Args:
        dataset: with the pictures.
        frames: all frames that have a label.

    Returns:
        A JPEG; of a single dark picture where no frame has a label.

    Raises:
        FileError: a picture or a map is missing.
    """
    found = [frame for frame in frames if frame.record.objects] or frames
    if not found:
        return _jpeg(contact_sheet([np.zeros((WIDTH // 2, WIDTH, 3), np.uint8)], [NONE], 1, WIDTH))
    places = np.unique(np.linspace(0, len(found) - 1, FRAMES).round().astype(int))
    start_of = {drive.name: drive.stamps_ns[0] for drive in dataset.drives}
    pictures, captions = [], []
    for task, record in (found[place] for place in places):
        drive = task.clip.drive
        image = read_picture(dataset.root / "drives" / drive / "left" / f"{record.stamp_ns}.png")
        image = image if image.ndim == 3 else np.dstack([image] * 3)
        colors = read_picture(task.folder.panoptic(drive, record.stamp_ns))
        objects = _under_track_ids(read_label(task, record))
        pictures += [overlay_segments(image, objects), _blend(image, colors)]
        seconds = (record.stamp_ns - start_of[drive]) / 1e9
        captions += [f"{drive}  {seconds:.1f} s", f"{len(record.objects)} moving, hatched: ignored"]
    return _jpeg(contact_sheet(pictures, captions, COLUMNS, WIDTH))


def _jpeg(sheet: Image) -> bytes:
    done, data = cv2.imencode(".jpg", sheet[..., ::-1], JPEG)
    if not done:
        raise FileError(f"contact sheet: {sheet.shape} cannot be stored as JPEG")
    return data.tobytes()


def _under_track_ids(label: PseudoLabel) -> MotionSegments:
    """The objects of a label as the drawing wants them, each with the id of its track."""
    # Drawing knows 16-bit ids; a drive of days may have more tracks.
    named = [replace(item, track_id=1 + (item.track_id - 1) % 65535) for item in label.objects]
    ordered = sorted(named, key=lambda item: item.track_id)
    track_of = np.zeros(int(label.instances.max(initial=0)) + 1, np.uint16)
    for item in ordered:
        track_of[item.id] = item.track_id
    return MotionSegments(
        track_of[label.instances],
        tuple(
            MovingObject(
                item.track_id,
                item.score,
                item.area_px,
                item.box,
                item.centroid_m,
                item.velocity_mps,
            )
            for item in ordered
        ),
    )


def _blend(image: Image, colors: Image) -> Image:
    """The label's colors over the gray picture; what is to be ignored dark and hatched."""
    gray = np.dstack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)] * 3)
    mixed = cv2.addWeighted(colors, COLOR_SHARE, gray, 1 - COLOR_SHARE, 0)
    is_void = ~colors.any(axis=-1)
    rows, columns = np.ogrid[: is_void.shape[0], : is_void.shape[1]]
    stripe = (rows + columns) % HATCH_PX < HATCH_PX // 4
    mixed[is_void] = gray[is_void] // 2
    mixed[is_void & stripe] = 150
    return np.asarray(mixed, np.uint8)
