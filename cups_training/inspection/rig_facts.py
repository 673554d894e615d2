"""What is known of a stereo rig in a recording: calibration, pairing, and how the pictures fit.

`drive_facts` asks it for each proposed rig; a few pairs of pictures are decoded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cups_core.camera_calibration import CameraCalibration
from cups_core.errors import CupsError, InputError
from cups_core.image_decoding import SignificantBits, decode_compressed, decode_raw
from cups_core.recording.recording import RecordedMessage, Recording
from cups_core.recording.stereo_topics import COMPRESSED, StereoTopics, is_rectified
from cups_core.rectification import StereoRectification
from cups_core.rig_validation import EpipolarMeasure, measure_drive
from cups_core.stereo_pairing import Side
from cups_training.inspection.pair_statistics import PairStatistics, pair_statistics, paired
from cups_training.inspection.picture_heads import PictureHead

LOOKED_AT_PAIRS = 5

Picture = NDArray[np.uint8]


@dataclass
class Stamped:
    """The messages of one topic, without their content.

    Attributes:
        stamps_ns: of the headers, in the order of recording.
        recorded_ns: when each was recorded.
        orders: place of each among all messages that were looked at.
        heads: size and encoding of raw images with their number.
        broken: messages too short for a header.
    """

    stamps_ns: list[int] = field(default_factory=list)
    recorded_ns: list[int] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)
    heads: Counter[PictureHead] = field(default_factory=Counter)
    broken: int = 0


@dataclass(frozen=True)
class RigFacts:
    """What is known of a stereo rig.

    Attributes:
        topics: its topics.
        pairs: how the stamps of left and right fit.
        cameras: both calibrations, where there are some.
        rectification: from the recorded pictures, where the calibrations allow it.
        is_rectified: whether the recorded pictures are rectified, by the topic's name or else by
            the calibration.
        calibration_trouble: why there is no calibration; empty where there is one.
        picture: size and kind of the first decoded picture.
        epipolar: measured on a few pairs, rectified where they are not.
        picture_trouble: why no picture was measured; empty where some were.
    """

    topics: StereoTopics
    pairs: PairStatistics
    cameras: tuple[CameraCalibration, CameraCalibration] | None = None
    rectification: StereoRectification | None = None
    is_rectified: bool = False
    calibration_trouble: str = ""
    picture: str = ""
    epipolar: EpipolarMeasure | None = None
    picture_trouble: str = ""


def look_at_rig(
    recording: Recording, topics: StereoTopics, seen: Mapping[str, Stamped]
) -> RigFacts:
    """Look at a rig both of whose cameras took pictures."""
    images = (topics.left_image, topics.right_image)
    arrivals = [
        (side, stamp)
        for _, side, stamp in sorted(
            (order, side, stamp)
            for side, name in zip(Side, images, strict=True)
            for order, stamp in zip(seen[name].orders, seen[name].stamps_ns, strict=True)
        )
    ]
    pairs = pair_statistics(arrivals)
    cameras, rectification, calibration_trouble = None, None, ""
    try:
        cameras = _cameras(recording, topics, seen)
        rectification = StereoRectification(*cameras, *filter(None, _infos(topics)))
    except CupsError as error:
        calibration_trouble = str(error)
    by_name = [is_rectified(name) for name in images]
    rectified = all(by_name) or bool(
        None in by_name and rectification is not None and rectification.is_identity
    )
    picture, epipolar, picture_trouble = "", None, ""
    try:
        pictures = _pictures(recording, topics, seen, arrivals, pairs)
        picture = _described(pictures[0][0])
        if rectification is not None and not rectified:
            pictures = [rectification.apply(*pair) for pair in pictures]
        if rectified or rectification is not None:
            epipolar = measure_drive(pictures)
    except CupsError as error:
        picture_trouble = str(error)
    return RigFacts(
        topics=topics,
        pairs=pairs,
        cameras=cameras,
        rectification=rectification,
        is_rectified=rectified,
        calibration_trouble=calibration_trouble,
        picture=picture,
        epipolar=epipolar,
        picture_trouble=picture_trouble,
    )


def _infos(topics: StereoTopics) -> tuple[str | None, str | None]:
    return topics.left_info, topics.right_info


def _cameras(
    recording: Recording, topics: StereoTopics, seen: Mapping[str, Stamped]
) -> tuple[CameraCalibration, CameraCalibration]:
    found = []
    for side, name in zip(("left", "right"), _infos(topics), strict=True):
        if name is None or not seen[name].stamps_ns:
            raise InputError(
                f"no camera_info of the {side} camera was recorded: a dataset needs the "
                "calibration of both; record the topic, or name another one with --topics "
                f"{side}_info=TOPIC"
            )
        message = _message(recording, name, seen[name].recorded_ns[0], seen[name].stamps_ns[0])
        found.append(CameraCalibration.from_message(recording.decoded(message), name))
    return found[0], found[1]


def _pictures(
    recording: Recording,
    topics: StereoTopics,
    seen: Mapping[str, Stamped],
    arrivals: list[tuple[Side, int]],
    pairs: PairStatistics,
) -> list[tuple[Picture, Picture]]:
    """A few pairs from all over the drive."""
    if not pairs.pairs or pairs.tolerance_ms is None:
        raise InputError("no left image has a right one of about the same time")
    found = paired(arrivals, pairs.tolerance_ms)
    names = (topics.left_image, topics.right_image)
    recorded = [dict(zip(seen[n].stamps_ns, seen[n].recorded_ns, strict=True)) for n in names]
    bits = SignificantBits()
    messages, pictures, troubles = [], [], []
    for part in range(LOOKED_AT_PAIRS):
        pair = found[len(found) * (2 * part + 1) // (2 * LOOKED_AT_PAIRS)]
        stamps = (pair.left_stamp_ns, pair.right_stamp_ns)
        try:
            both = [
                _message(recording, name, times[stamp], stamp)
                for name, times, stamp in zip(names, recorded, stamps, strict=True)
            ]
            for message in both:
                bits.look(recording.decoded(message), message.topic)
        except InputError as error:
            troubles.append(error)
        else:
            messages.append(both)
    for both in messages:
        try:
            left, right = (_decoded(recording, message, bits.value) for message in both)
        except InputError as error:
            troubles.append(error)
        else:
            pictures.append((left, right))
    if not pictures:
        raise troubles[0]
    return pictures


def _message(recording: Recording, topic: str, recorded_ns: int, stamp_ns: int) -> RecordedMessage:
    """One whole message.

    Raises:
        InputError: it cannot be read.
    """
    for message in recording.messages([topic], start_ns=recorded_ns, end_ns=recorded_ns):
        if message.stamp_ns == stamp_ns:
            return message
    raise InputError(f"{topic}: the message of {stamp_ns} ns is damaged")


def _decoded(recording: Recording, message: RecordedMessage, bits: int) -> Picture:
    decode = decode_compressed if message.type_name == COMPRESSED else decode_raw
    return decode(recording.decoded(message), message.topic, bits)


def _described(picture: Picture) -> str:
    kind = "gray" if picture.ndim == 2 else "color"
    return f"{picture.shape[1]}x{picture.shape[0]} {kind}"
