"""Writes files that are either whole or not there: under another name first, renamed when done.

Whatever may be interrupted and resumed writes its results with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.errors import CupsError


class FileError(CupsError):
    """A file of a dataset is missing, broken or cannot be written."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which becomes `path` when all went well; folders are made.

    Raises:
        FileError: the disk is full or the place cannot be written; nothing is left behind.
    """
    # The process number keeps two writers of one file apart; the last rename wins.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        try:
            file = draft.open("wb")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = draft.open("wb")
        try:
            with file:
                yield file
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise FileError(
            f"{path}: cannot be written ({problem.strerror or problem}); free some space or give "
            "another folder, then run the same command again: it goes on where it stopped"
        ) from problem


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that nobody ever sees half of it; folders are made.

    Raises:
        FileError: the disk is full or the place cannot be written; nothing is left behind.
    """
    with whole_file(path) as file:
        file.write(content)


def remove_drafts(folder: Path, *, below: bool = True) -> None:
    """Remove what killed processes of this machine left half written in a folder, or `below` it."""
    for draft in folder.rglob(".*") if below else folder.glob(".*"):
        writer = draft.name.rpartition(".")[2]
        if writer.isdigit() and not _is_alive(int(writer)):
            draft.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def write_json(path: Path, content: Any) -> None:
    """Write JSON with sorted keys and one final newline: equal content gives equal bytes."""
    write_whole(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def json_line(row: Mapping[str, Any]) -> bytes:
    """One JSON object, keys sorted: equal rows give equal bytes."""
    return json.dumps(row, sort_keys=True).encode() + b"\n"


def write_json_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line, keys sorted."""
    with whole_file(path) as file:
        for row in rows:
            file.write(json_line(row))


def write_png(path: Path, picture: NDArray[Any], *, is_map: bool = False) -> None:
    """Write a PNG without loss: uint8 (H, W) or RGB (H, W, 3), or uint16 (H, W).

    A photograph is smaller with PNG's filters; a map of ids, whose areas hold one value each, is
    written in a quarter of the time without them.
    """
    stored = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    # Level 1 with this strategy is a third of the default's time for a few percent of size.
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, 1]
    if is_map and hasattr(cv2, "IMWRITE_PNG_FILTER"):  # OpenCV lets choose since 4.11
        options = [cv2.IMWRITE_PNG_COMPRESSION, 2]
        options += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    done, data = cv2.imencode(".png", np.ascontiguousarray(stored), options)
    if not done:
        raise FileError(f"{path}: {picture.dtype} {picture.shape} cannot be stored as PNG")
    write_whole(path, data.tobytes())


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        FileError: it is missing or not JSON.
    """
    try:
        return json.loads(path.read_text())
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror})") from problem
    except ValueError as problem:
        raise FileError(f"{path}: expected JSON, {problem}") from problem


def json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file with one JSON object a line, one at a time.

    Raises:
        FileError: it is missing, or a line is not a JSON object.
    """
    try:
        with path.open() as lines:
            for number, line in enumerate(lines, start=1):
                yield _object(line, f"{path}, line {number}")
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror})") from problem


def _object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as problem:
        raise FileError(f"{where}: expected JSON, {problem}") from problem
    if not isinstance(row, dict):
        raise FileError(f"{where}: expected an object, found {line[:60]!r}")
    return row


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a file with one JSON object a line, all together.

    Raises:
        FileError: it is missing, or a line is not a JSON object.
    """
    return list(json_rows(path))


def read_picture(path: Path) -> NDArray[Any]:
    """An image as it was stored: uint8 RGB (H, W, 3), or uint8 or uint16 (H, W).

    Raises:
        FileError: it is missing or no image.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as problem:
        raise FileError(f"{path}: cannot be read ({problem.strerror})") from problem
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if picture is None:
        raise FileError(f"{path}: expected an image, found {data.size} bytes that are none")
    if picture.ndim == 2:
        return picture
    order = cv2.COLOR_BGRA2RGB if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(picture, order))
