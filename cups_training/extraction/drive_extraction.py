"""Writes the pairs of a source as a drive of a dataset: once, resumable, in bounded memory.

`cups extract` hands bags to it, `cups import` image folders.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from cups_core.errors import InputError
from cups_core.rig_validation import EpipolarMeasure, RigFault, measure_drive
from cups_training.extraction.drive_record import DriveRecord, read_record
from cups_training.extraction.frame_work import FrameWork, LostPairError, PairTask
from cups_training.extraction.geometry import Geometry
from cups_training.extraction.ordered_work import in_order
from cups_training.extraction.part_folder import (
    MEASURES,
    PICTURES,
    PartFolder,
    check_claim,
    check_neighbours,
    remove_journals,
)
from cups_training.extraction.part_record import PartRecord
from cups_training.extraction.settings import ExtractionSettings
from cups_training.extraction.software import software
from cups_training.extraction.source import Drops, StereoSource
from cups_training.selection.settings import SelectionSettings

FIRST_PAIRS, FIRST_STEP = 13, 4
JUDGED_EVERY = 500
"""The rig is judged on some of the first pairs before anything is written, then once in a while."""
LONGEST_PART = 100_000
"""Frames of a drive: the measures of so many fit into a quarter of a gigabyte."""


def extract_drive(
    source: StereoSource,
    drives: Path,
    settings: ExtractionSettings,
    selection: SelectionSettings,
    workers: int,
    progress: Callable[[int], None],
) -> DriveRecord:
    """Extract what is missing of a source; a drive that is finished is only looked at.

    Where the clock jumps back, and after very many frames, another drive begins: `<name>_2` and so
    on.

    Args:
        source: the pairs.
        drives: folder of the dataset's drives.
        settings: how pairs become frames.
        selection: which pairs are kept.
        workers: number of threads.
        progress: is told, for every pair, how many the present pass has worked on.

    Raises:
        CalibrationError: the two cameras do not form a stereo pair.
        InputError: the crop leaves the picture; or the pictures show that the rig is wrong, and
            settings say to refuse it.
        FileError: the folder holds something else, or the disk is full.
        CupsError: the source cannot be read.
    """
    return _Extraction(source, drives, settings, selection, workers, progress).run()


class _Extraction:
    def __init__(
        self,
        source: StereoSource,
        drives: Path,
        settings: ExtractionSettings,
        selection: SelectionSettings,
        workers: int,
        progress: Callable[[int], None],
    ) -> None:
        self._source = source
        self._drives = drives
        self._settings = settings
        self._selection = selection
        self._workers = workers
        self._progress = progress
        self._geometry = Geometry(source, settings)
        self._identity = source.identity()
        self._parts: list[PartFolder] = []

    def run(self) -> DriveRecord:
        first = self._path(0)
        check_neighbours(self._drives, self._claim(0))
        if check_claim(first, self._claim(0)):
            remove_journals(first)
            return read_record(first)
        measure = None if self._settings.validate == "off" else self._judged_rig()
        with ExitStack() as stack:
            stack.callback(self._close)
            if self._settings.keep == "keyframes":
                self._pass(MEASURES, measures=True, writes=False)
                drops = self._source.drops
                keyframes = [self._record(part, MEASURES).keyframes() for part in self._parts]
                self._pass(PICTURES, measures=False, writes=True, wanted=keyframes)
            else:
                self._pass(PICTURES, measures=self._settings.measure, writes=True)
                drops = self._source.drops
            kept = []
            for record in (self._record(part, self._measured_in) for part in self._parts):
                if record.has_pictures:
                    kept.append(record)
                else:
                    drops.update(record.drops)
                    shutil.rmtree(record.path)
            source = self._source.provenance()
            if not kept:
                return DriveRecord(
                    self._source.name, (), 0, 0, 0, drops, tuple(source.pop("notes"))
                )
            common = {
                "parts": [record.path.name for record in kept],
                "source": source,
                "rig": None if measure is None else _described(measure),
                "notes": [measure.verdict] if measure is not None and _is_wrong(measure) else [],
            }
            # The first part comes last: where it is finished, all are.
            while kept:
                record = kept.pop()
                record.finish(common, Drops() if kept else drops)
            return read_record(record.path)

    def _close(self) -> None:
        for part in self._parts:
            part.close()

    @property
    def _measured_in(self) -> str:
        return MEASURES if self._settings.keep == "keyframes" else PICTURES

    def _record(self, part: PartFolder, measured_in: str) -> PartRecord:
        return PartRecord(part, measured_in, self._selection, self._geometry)

    def _judged_rig(self) -> EpipolarMeasure | None:
        """How the rig lies in some of the first pairs; None where none of them can be decoded."""
        work = FrameWork(self._geometry, self._settings.format, measures=False, writes=False)
        pictures = []
        for pair in islice(self._source.pairs(), 0, FIRST_PAIRS, FIRST_STEP):
            try:
                pictures.append(work.pictures(pair))
            except LostPairError:
                # It is counted when its turn comes.
                continue
        if not pictures:
            return None
        measure = measure_drive(pictures)
        if _is_wrong(measure) and self._settings.validate == "refuse":
            raise InputError(
                f"{self._source.name}: {measure.verdict}; or go on regardless with "
                "--set validate=warn"
            )
        return measure

    def _pass(
        self,
        journal: str,
        *,
        measures: bool,
        writes: bool,
        wanted: Sequence[frozenset[int]] | None = None,
    ) -> None:
        """Work on all pairs, or on the wanted stamps of each part."""
        work = FrameWork(self._geometry, self._settings.format, measures=measures, writes=writes)
        judges = wanted is None and self._settings.validate != "off"
        tasks = self._tasks(journal, judges, wanted)
        for count, (part, row) in enumerate(in_order(work, tasks, self._workers), start=1):
            if row is not None:
                self._parts[part].journals[journal].add(row)
            self._progress(count)

    def _tasks(
        self, journal: str, judges: bool, wanted: Sequence[frozenset[int]] | None
    ) -> Iterator[PairTask]:
        number, in_part, last_ns = 0, 0, -1
        for index, pair in enumerate(self._source.pairs()):
            stamp = pair.left.stamp_ns
            if index and (stamp <= last_ns or in_part == LONGEST_PART):
                number, in_part = number + 1, 0
            last_ns = stamp
            in_part += 1
            if wanted is not None and stamp not in wanted[number]:
                continue
            if number == len(self._parts):
                self._parts.append(
                    PartFolder(self._path(number), self._claim(number), self._geometry)
                )
            part = self._parts[number]
            known = part.journals[journal].get(stamp)
            judges_now = judges and index % JUDGED_EVERY == 0
            yield PairTask(number, pair, part.path, part.writer, known, judges_now)

    def _path(self, number: int) -> Path:
        name = self._source.name
        return self._drives / (f"{name}_{number + 1}" if number else name)

    def _claim(self, number: int) -> dict[str, Any]:
        return {
            "part": number + 1,
            "source": self._identity,
            "configuration": {
                "pictures": dataclasses.asdict(self._settings),
                "pairs": dataclasses.asdict(self._selection),
            },
            "software": software(),
        }


def _is_wrong(measure: EpipolarMeasure) -> bool:
    return measure.fault not in (None, RigFault.UNKNOWN)


def _described(measure: EpipolarMeasure) -> dict[str, Any]:
    # Without matches there is nothing to measure, and JSON knows no NaN.
    figures = {name: None if value != value else value for name, value in measure.row().items()}
    return {"verdict": measure.verdict, **figures}
