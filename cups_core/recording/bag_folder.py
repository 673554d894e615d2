"""Which files a bag consists of; `recording` opens them.

A folder's metadata.yaml is believed as far as it fits what lies beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cups_core.errors import RecordingError
from cups_core.recording.compression import ZSTD_MAGIC
from cups_core.recording.mcap_records import MAGIC as MCAP_MAGIC
from cups_core.recording.messages import Damage, Tell
from cups_core.recording.rosbag1_records import MAGIC as ROSBAG1_MAGIC
from cups_core.recording.sqlite_pages import MAGIC as SQLITE_MAGIC

METADATA = "metadata.yaml"
SUFFIXES = (".mcap", ".db3", ".bag", ".active")
COMPRESSED_SUFFIX = ".zstd"
MAGICS = {
    MCAP_MAGIC: ".mcap",
    SQLITE_MAGIC: ".db3",
    ROSBAG1_MAGIC: ".bag",
    ZSTD_MAGIC: COMPRESSED_SUFFIX,
}


class BagFile(NamedTuple):
    """A file of a bag.

    Attributes:
        path: where it lies.
        expected_count: number of its messages according to the metadata, None where unknown.
    """

    path: Path
    expected_count: int | None = None


def is_bag(path: Path) -> bool:
    """Whether the file or the folder looks like a bag."""
    if path.is_dir():
        return (path / METADATA).is_file() or bool(_data_files(path))
    return path.is_file() and (_has_bag_suffix(path) or path.name == METADATA)


def file_format(path: Path) -> str:
    """The suffix of the format that the file is in, by how it begins, else by its name.

    Raises:
        RecordingError: it is no file of a bag.
    """
    with path.open("rb") as file:
        beginning = file.read(max(map(len, MAGICS)))
    for magic, suffix in MAGICS.items():
        if beginning.startswith(magic):
            return suffix
    if not beginning:
        raise RecordingError(f"{path}: the file is empty: the recorder wrote nothing into it")
    if path.suffix in SUFFIXES:
        return ".bag" if path.suffix == ".active" else path.suffix
    raise RecordingError(
        f"{path}: expected a bag (MCAP, SQLite of ROS 2, or ROS 1), found a file that begins with "
        f"{beginning[:8]!r}: name a bag"
    )


def bag_files(path: Path, tell: Tell) -> list[BagFile]:
    """The files that a path stands for: the file itself, or those of the bag in the folder.

    Args:
        path: a file, a folder, or the metadata.yaml in it.
        tell: is called with what does not fit.

    Raises:
        RecordingError: there is nothing, or nothing that could be a bag.
    """
    if path.name == METADATA and path.is_file():
        path = path.parent
    if not path.exists():
        raise RecordingError(f"{path}: no such bag: check the path")
    if path.is_file():
        return [BagFile(path)]
    present = _data_files(path)
    if not present:
        raise RecordingError(f"{path}: {_what_else(path)}")
    metadata = path / METADATA
    if not metadata.is_file():
        if any(file.suffix not in (".bag", ".active") for file in present):
            tell(
                Damage(
                    path,
                    f"{METADATA} is missing: the recorder did not come to write it",
                    0,
                    "the files are read without it; `ros2 bag reindex` writes it anew",
                )
            )
        return [BagFile(file) for file in present]
    try:
        named = _named(metadata)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        what = " ".join(str(error).split())
        advice = "the files are read without it; `ros2 bag reindex` writes it anew"
        tell(Damage(metadata, f"it cannot be read ({what})", 0, advice))
        return [BagFile(file) for file in present]
    return _believed(path, named, present, tell)


def _believed(
    folder: Path, named: Sequence[BagFile], present: Sequence[Path], tell: Tell
) -> list[BagFile]:
    """The named files that are there; the others that are there where files were renamed."""
    there = [file for file in named if file.path in present]
    missing = [file for file in named if file.path not in present]
    others = [path for path in present if path not in {file.path for file in named}]
    if len(missing) > len(others):
        for file in missing:
            tell(
                Damage(
                    file.path,
                    f"{METADATA} names it, but it is not there",
                    file.expected_count,
                    "the rest is used; copy it from where it was recorded",
                )
            )
    elif others and not missing:
        for path in others:
            tell(
                Damage(
                    path,
                    f"it is left out, {METADATA} does not name it",
                    None,
                    f"remove {METADATA} if it belongs to the bag",
                )
            )
        others = []
    return there + [BagFile(path) for path in others]


def _named(metadata: Path) -> list[BagFile]:
    content: dict[str, Any] = yaml.safe_load(metadata.read_text())["rosbag2_bagfile_information"]
    counts = {
        Path(item["path"]).name: int(item["message_count"]) for item in content.get("files") or ()
    }
    names = [Path(name).name for name in content["relative_file_paths"]]
    if not counts and len(names) == 1:
        counts[names[0]] = int(content["message_count"])
    return [BagFile(metadata.parent / name, counts.get(name)) for name in names]


def _data_files(folder: Path) -> list[Path]:
    files = [file for file in folder.iterdir() if file.is_file() and _has_bag_suffix(file)]
    return sorted(files, key=lambda file: (len(file.name), file.name))


def _has_bag_suffix(path: Path) -> bool:
    name = path.name.removesuffix(COMPRESSED_SUFFIX)
    return Path(name).suffix in SUFFIXES


def _what_else(folder: Path) -> str:
    """What the folder holds, for somebody who named the wrong one."""
    bags = sorted(item.name for item in folder.iterdir() if item.is_dir() and is_bag(item))
    if bags:
        shown = ", ".join(bags[:5]) + (", ..." if len(bags) > 5 else "")
        return f"expected a bag, found a folder of {len(bags)} bags ({shown}): name those"
    names = sorted(item.name for item in folder.iterdir())
    return (
        f"expected a bag (files ending in {', '.join(SUFFIXES[:3])}), found "
        f"{', '.join(names[:5]) or 'an empty folder'}: check the path"
    )
