"""Labels over their pictures, some frames of all drives on one sheet; finishing makes it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.drawing import overlay_segments
from cups_core.motion.segments import MotionSegments, MovingObject
from cups_training.contact_sheet import contact_sheet
from cups_training.dataset.dataset import Dataset
from cups_training.labelling.clip_result import EMPTY, LABELLED, ClipResult, FrameRecord
from cups_training.labelling.label_folder import LabelFolder
from cups_training.whole_files import FileError, read_picture

FRAMES, COLUMNS, WIDTH = 12, 4, 400
COLOR_SHARE = 0.6
HATCH_PX = 12
NONE = "no frame has a label"
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 86]

Image = NDArray[np.uint8]


def label_sheet(dataset: Dataset, folder: LabelFolder, results: Sequence[ClipResult]) -> bytes:
    """Frames with masks, evenly spread: the moving objects, and beside them the whole label.

    Returns:
        A JPEG; of a single dark picture where no frame has a label.

    Raises:
        FileError: a picture or a map is missing.
    """
    frames = [(result.clip.drive, record) for result in results for record in result.frames]
    found = [item for item in frames if item[1].status == LABELLED] or [
        item for item in frames if item[1].status == EMPTY
    ]
    if not found:
        return _jpeg(contact_sheet([np.zeros((WIDTH // 2, WIDTH, 3), np.uint8)], [NONE], 1, WIDTH))
    places = np.unique(np.linspace(0, len(found) - 1, FRAMES).round().astype(int))
    start_of = {drive.name: drive.stamps_ns[0] for drive in dataset.drives}
    pictures, captions = [], []
    for drive, record in (found[place] for place in places):
        image = read_picture(dataset.root / "drives" / drive / "left" / f"{record.stamp_ns}.png")
        image = image if image.ndim == 3 else np.dstack([image] * 3)
        instances = read_picture(folder.instance(drive, record.stamp_ns))
        colors = read_picture(folder.panoptic(drive, record.stamp_ns))
        pictures += [overlay_segments(image, _segments(record, instances)), _blend(image, colors)]
        seconds = (record.stamp_ns - start_of[drive]) / 1e9
        captions += [f"{drive}  {seconds:.1f} s", f"{len(record.objects)} moving, hatched: ignored"]
    return _jpeg(contact_sheet(pictures, captions, COLUMNS, WIDTH))


def _jpeg(sheet: Image) -> bytes:
    done, data = cv2.imencode(".jpg", sheet[..., ::-1], JPEG)
    if not done:
        raise FileError(f"contact sheet: {sheet.shape} cannot be stored as JPEG")
    return data.tobytes()


def _segments(record: FrameRecord, instances: NDArray[np.uint16]) -> MotionSegments:
    return MotionSegments(
        instances,
        tuple(
            MovingObject(
                item.id,
                item.score,
                item.area_px,
                item.box,
                item.centroid_m,
                item.velocity_mps,
            )
            for item in record.objects
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
