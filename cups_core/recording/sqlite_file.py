"""Reads an SQLite file of a ROS 2 bag; from a damaged one, every row that can be found.

`recording` opens it. A whole file is read by SQLite, a cut or overwritten one page by page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import apsw
import numpy as np

from cups_core.errors import RecordingError
from cups_core.recording.data_file import offered_reliability
from cups_core.recording.messages import (
    BEGINNING,
    Damage,
    Definition,
    RecordedMessage,
    Serialization,
    Tell,
    Topic,
    Wanted,
)
from cups_core.recording.sqlite_pages import DatabasePages, PageError, is_cut
from cups_core.recording.time_order import reading_order

ADVICE = "what was found is used; copy the file again from where it was recorded"


class _Rows(NamedTuple):
    """Where the messages are.

    Attributes:
        topic_ids: int64 (N,).
        recorded_ns: int64 (N,).
        message: gives the bytes of row i, with True at least its beginning.
    """

    topic_ids: np.ndarray
    recorded_ns: np.ndarray
    message: Callable[[int, bool], bytes]


class SqliteFile:
    """An SQLite file of a bag that is open for reading; see `data_file.DataFile`."""

    def __init__(self, path: Path, tell: Tell, expected_count: int | None = None) -> None:
        """Look at its tables, or through its pages where that does not work.

        Args:
            path: the file.
            tell: is called with each damage.
            expected_count: number of messages according to the bag's metadata.

        Raises:
            RecordingError: it is no bag, or its topics are lost.
        """
        self._path = path
        self._tell = tell
        self._topics: dict[int, Topic] = {}
        self._serializations: dict[int, Serialization] = {}
        self.definitions: dict[str, Definition] = {}
        # Messages that a killed recorder left in the log beside the file belong to it.
        log = path.with_name(f"{path.name}-wal")
        has_log = log.is_file() and log.stat().st_size > 0
        mode = "mode=ro" if has_log else "immutable=1"
        self._database = apsw.Connection(
            f"{path.resolve().as_uri()}?{mode}",
            flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI,
        )
        self._file = path.open("rb")
        try:
            if not has_log and is_cut(self._file):
                raise apsw.CorruptError("it is shorter than its header says")
            self._rows = self._whole()
        except (apsw.Error, UnicodeDecodeError, TypeError, OverflowError) as error:
            # Overwritten tables hold what is no text or no number.
            self._rows = self._found(str(error), expected_count)
        counts = Counter(self._rows.topic_ids.tolist())
        orphans = sum(count for key, count in counts.items() if key not in self._topics)
        if orphans:
            tell(Damage(path, "messages of topics that it does not name", orphans, ADVICE))
        self.topics = [
            Topic(item.name, item.type_name, counts[key], item.reliability)
            for key, item in self._topics.items()
        ]

    @property
    def start_ns(self) -> int | None:
        """When its first message was recorded."""
        return int(self._rows.recorded_ns.min()) if len(self._rows.recorded_ns) else None

    @property
    def end_ns(self) -> int | None:
        """When its last message was recorded."""
        return int(self._rows.recorded_ns.max()) if len(self._rows.recorded_ns) else None

    def messages(self, wanted: Wanted) -> Iterator[RecordedMessage]:
        """The wanted messages in the order of recording."""
        topics = {key: item for key, item in self._topics.items() if item.name in wanted.topics}
        places = np.flatnonzero(
            np.isin(self._rows.topic_ids, list(topics))
            & (self._rows.recorded_ns >= wanted.start_ns)
            & (self._rows.recorded_ns <= wanted.end_ns)
        )
        order = reading_order(self._rows.topic_ids[places], self._rows.recorded_ns[places])
        lost = 0
        try:
            for place in places[order].tolist():
                key = int(self._rows.topic_ids[place])
                try:
                    raw = self._rows.message(place, wanted.beginnings)
                except (apsw.Error, PageError):
                    lost += 1
                    continue
                topic = topics[key]
                yield RecordedMessage(
                    topic.name,
                    topic.type_name,
                    int(self._rows.recorded_ns[place]),
                    raw,
                    self._serializations.get(key, Serialization.CDR),
                )
        finally:
            if lost:
                self._tell(
                    Damage(self._path, "pages of some messages are overwritten", lost, ADVICE)
                )

    def close(self) -> None:
        """Let go of it."""
        self._database.close()
        self._file.close()

    def _whole(self) -> _Rows:
        """The rows as SQLite finds them."""
        tables = {name for (name,) in self._database.execute("SELECT name FROM sqlite_master")}
        if not {"topics", "messages"} <= tables:
            raise RecordingError(
                f"{self._path}: expected an SQLite file with the tables topics and messages, found "
                f"{', '.join(sorted(tables)) or 'none'}: it is no bag"
            )
        columns = {row[1] for row in self._database.execute("PRAGMA table_info(topics)")}
        profiles = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
        for key, name, type_name, serialization, offered in self._database.execute(
            f"SELECT id, name, type, serialization_format, {profiles} FROM topics ORDER BY id"
        ):
            self._topics[key] = Topic(name, type_name, None, offered_reliability(str(offered)))
            if serialization != Serialization.CDR.value:
                self._serializations[key] = Serialization.OTHER
        if "message_definitions" in tables:
            for name, encoding, text in self._database.execute(
                "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
            ):
                if text:
                    self.definitions[name] = Definition(text, encoding.endswith("idl"))
        rows = np.fromiter(
            self._database.execute("SELECT id, topic_id, timestamp FROM messages ORDER BY id"),
            np.dtype((np.int64, 3)),
        )
        ids = rows[:, 0]

        def message(place: int, beginning: bool) -> bytes:
            where = ("main", "messages", "data", int(ids[place]), False)
            with closing(self._database.blob_open(*where)) as blob:
                raw: bytes = blob.read(BEGINNING if beginning else -1)
            return raw

        return _Rows(rows[:, 1], rows[:, 2], message)

    def _found(self, trouble: str, expected_count: int | None) -> _Rows:
        """The rows in the pages that are left."""
        pages = DatabasePages(self._file)
        if not pages.topics:
            raise RecordingError(
                f"{self._path}: expected an SQLite file of a bag, found that {trouble}, and the "
                "names of the topics are lost: copy the file again from where it was recorded"
            )
        self._topics = pages.topics
        self.definitions = pages.definitions
        rows = [row for row in pages.rows if row.topic_id in pages.topics]
        lost = None if expected_count is None else max(0, expected_count - len(rows))
        self._tell(
            Damage(
                self._path,
                f"{trouble}: the file is cut or overwritten; {len(rows)} messages were found in it",
                lost,
                ADVICE,
            )
        )
        table = np.array([row[1:3] for row in rows], np.int64).reshape(-1, 2)
        return _Rows(table[:, 0], table[:, 1], lambda place, _: pages.message(rows[place]))
