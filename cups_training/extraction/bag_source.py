"""The stereo pairs of a recording, paired by header stamps as the vehicle nodes pair them.

`cups extract` makes one for each drive; `extract_drive` writes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cups_core.camera_calibration import CameraCalibration
from cups_core.errors import CalibrationError, InputError
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.image_decoding import SignificantBits, decode_compressed, decode_raw
from cups_core.recording.recording import RecordedMessage, Recording
from cups_core.recording.stereo_topics import COMPRESSED, is_rectified
from cups_core.stereo_pairing import Pair, Side, StereoPairing
from cups_training.extraction.file_hashes import FileHashes
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.source import Drops, SourceImage, SourcePair
from cups_training.extraction.topic_map import TopicMap

WAITING_IMAGES = 30
LOOKED_AT_IMAGES = 10
"""From so many first images the significant bits of 16-bit pictures are found."""
EARLY_END_NS = NANOSECONDS_PER_SECOND
STAMP_BYTES = 12
"""Everything behind the stamp of a camera_info must stay the same throughout a drive."""


class BagSource:
    """A drive in an open recording; see `StereoSource`."""

    def __init__(
        self, name: str, recording: Recording, topics: TopicMap, settings: ExtractionSettings
    ) -> None:
        """Find the calibration and how the pictures are stored.

        Args:
            name: of the drive.
            recording: stays open as long as the pairs are used.
            topics: which are the two cameras'.
            settings: tolerance and significant bits.

        Raises:
            CalibrationError: a calibration is missing or cannot be used.
        """
        self.name = name
        self.drops = Drops()
        self._recording = recording
        self._topics = topics
        self._tolerance_ms = settings.tolerance_ms
        self._hashes = FileHashes([source.path for source in recording.sources])
        self._infos = self._first_infos()
        self.left, self.right = (
            CameraCalibration.from_message(recording.decoded(self._infos[info]), info)
            for info in topics.infos
        )
        self.is_rectified = all(map(is_rectified, topics.images))
        self._bits = self._significant_bits(settings.significant_bits)
        self._clock_jumps = 0
        self._changed_infos = 0
        self._seen: dict[str, list[int]] = {}

    @property
    def length(self) -> int | None:
        """The smaller number of images of the two cameras, where the bag says it."""
        counts = [self._recording.topics[name].count for name in self._topics.images]
        known = [count for count in counts if count is not None]
        return min(known) if len(known) == len(counts) else None

    def identity(self) -> dict[str, Any]:
        """Files by name, size and a hash of their ends; topics; tolerance."""
        return {
            "files": self._hashes.ends(),
            "topics": self._topics.row(),
            "tolerance_ms": self._tolerance_ms,
        }

    def pairs(self) -> Iterator[SourcePair]:
        """All pairs from the beginning.

        Raises:
            CupsError: the recording cannot be read any further.
        """
        self._hashes.start()
        self.drops = Drops()
        self._changed_infos = 0
        self._seen = {name: [0, 0, 0] for name in self._topics.images}
        pairing: StereoPairing[RecordedMessage] = StereoPairing(
            round(self._tolerance_ms * 1e6), WAITING_IMAGES
        )
        sides = dict(zip(self._topics.images, Side, strict=True))
        for message in self._recording.messages({*self._topics.images, *self._topics.infos}):
            side = sides.get(message.topic)
            if side is None:
                self._look_at_info(message)
                continue
            stamp = self._stamp(side, message)
            if stamp is not None:
                for pair in pairing.add(side, stamp, message):
                    yield self._pair(pair)
        for pair in pairing.flush():
            yield self._pair(pair)
        self._clock_jumps = pairing.clock_jumps
        for (side, reason), count in sorted(
            pairing.drops.items(), key=lambda item: (item[0][0], item[0][1].name)
        ):
            self.drops.add(f"{side.name.lower()}: {reason.value}", count)

    def provenance(self) -> dict[str, Any]:
        """Files with their sha256, topics with counts, and what was noticed."""
        return {
            "kind": "bag",
            "files": self._hashes.whole(),
            "topics": {
                role: {
                    "name": name,
                    "type": self._recording.topics[name].type_name,
                    "messages": self._seen[name][0] if name in self._seen else None,
                }
                for role, name in self._topics.row().items()
            },
            "stamps": "of the message headers",
            "tolerance_ms": self._tolerance_ms,
            "calibration": f"{self._topics.left_info}, {self._topics.right_info}",
            "significant_bits": self._bits,
            "clock_jumps": self._clock_jumps,
            "notes": [*self._damages(), *self._early_ends(), *self._info_notes()],
        }

    def _first_infos(self) -> dict[str, RecordedMessage]:
        found: dict[str, RecordedMessage] = {}
        wanted = set(self._topics.infos)
        for message in self._recording.messages(wanted):
            found.setdefault(message.topic, message)
            if found.keys() == wanted:
                return found
        raise CalibrationError(
            f"{self.name}: no message on {', '.join(sorted(wanted - found.keys()))}: the drive has "
            "no calibration; choose another topic with --topics left_info=...,right_info=..."
        )

    def _significant_bits(self, given: int) -> int:
        bits = SignificantBits(given)
        for message in islice(self._recording.messages(self._topics.images), LOOKED_AT_IMAGES):
            try:
                bits.look(self._recording.decoded(message), message.topic)
            except InputError:
                # Told and counted when the pairs are read.
                continue
        return bits.value

    def _stamp(self, side: Side, message: RecordedMessage) -> int | None:
        try:
            stamp = message.stamp_ns
        except InputError as problem:
            self.drops.add(f"{side.name.lower()}: no whole message", example=str(problem))
            return None
        if stamp == 0:
            self.drops.add(
                f"{side.name.lower()}: no stamp in the header",
                example=f"{message.topic}: the stamp is 0: the driver must fill header.stamp",
            )
            return None
        seen = self._seen[message.topic]
        seen[0] += 1
        seen[1] = seen[1] or stamp
        seen[2] = stamp
        return stamp

    def _pair(self, pair: Pair[RecordedMessage]) -> SourcePair:
        return SourcePair(
            self._image(pair.left_stamp_ns, pair.left),
            self._image(pair.right_stamp_ns, pair.right),
        )

    def _image(self, stamp_ns: int, message: RecordedMessage) -> SourceImage:
        if message.type_name != COMPRESSED:
            return SourceImage(stamp_ns, partial(_decoded, self._recording, message, self._bits))
        return SourceImage(
            stamp_ns,
            partial(_decoded, self._recording, message, self._bits),
            partial(_stored_file, self._recording, message),
        )

    def _look_at_info(self, message: RecordedMessage) -> None:
        first = self._infos[message.topic]
        if message.raw[STAMP_BYTES:] != first.raw[STAMP_BYTES:]:
            self._changed_infos += 1

    def _damages(self) -> Iterator[str]:
        for damage in self._recording.damages:
            lost = f", {damage.messages_lost} messages lost" if damage.messages_lost else ""
            yield f"{damage.file.name}: {damage.what}{lost}: {damage.advice}"

    def _early_ends(self) -> Iterator[str]:
        ends = {name: seen[2] for name, seen in self._seen.items() if seen[0]}
        last = max(ends.values(), default=0)
        for name, end in ends.items():
            if last - end > EARLY_END_NS:
                seconds = (last - end) / NANOSECONDS_PER_SECOND
                yield f"{name} stops {seconds:.1f} s before the other camera"

    def _info_notes(self) -> Iterator[str]:
        if self._changed_infos:
            yield (
                f"camera_info differs from the first one in {self._changed_infos} messages; the "
                "first one was used for the whole drive"
            )


def _decoded(recording: Recording, message: RecordedMessage, bits: int) -> NDArray[np.uint8]:
    decode: Callable[..., NDArray[np.uint8]] = (
        decode_compressed if message.type_name == COMPRESSED else decode_raw
    )
    return decode(recording.decoded(message), message.topic, bits)


def _stored_file(recording: Recording, message: RecordedMessage) -> bytes | None:
    """The file in a CompressedImage; None where its pixels are not the picture itself."""
    decoded = recording.decoded(message)
    source, _, target = decoded.format.lower().partition(";")
    if source.strip().startswith("bayer_") or "compressed rgb" in target:
        return None
    return bytes(memoryview(decoded.data))
