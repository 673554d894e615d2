"""Killed at any moment and started again, extraction ends with the same bytes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Extract, all_bytes, bag, shots

KILLS = 2
PAIRS = 40
SLOW = ("--set", "format=webp", "--workers", "1")


def start(
    source: Path, target: Path, arguments: tuple[str, ...], repository: Path
) -> subprocess.Popen[bytes]:
    code = "import sys; from cups_training.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", code, "extract", source, target, *arguments],
        cwd=repository,
        env={**os.environ, "PYTHONPATH": str(repository)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_when_longer(process: subprocess.Popen[bytes], journal: Path, lines: int) -> None:
    """Wait for so many lines of the journal, or the end, then a random moment more."""
    while process.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= lines:
            time.sleep(random.uniform(0, 0.05))
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("keep", ["all", "keyframes"])
def test_killed_again_and_again_it_ends_with_the_same_bytes(
    tmp_path: Path, extract: Extract, repository: Path, keep: str
) -> None:
    source = bag(tmp_path / "day", shots(PAIRS, width=160, height=120))
    arguments = (*SLOW, "--set", f"keep={keep}")
    extract(source, tmp_path / "undisturbed", *arguments)
    target = tmp_path / "killed"
    journal = target / "drives/day/pictures.partial.jsonl"
    for kill in range(1, KILLS + 1):
        process = start(source, target, arguments, repository)
        kill_when_longer(process, journal, kill * PAIRS // (KILLS + 1))
        assert journal.exists(), "it was over before it could be killed"
    code, _ = extract(source, target, *arguments)
    assert code == 0
    assert all_bytes(target) == all_bytes(tmp_path / "undisturbed")


def test_what_is_done_is_not_done_again(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", shots(10))
    extract(source, tmp_path / "set")
    drive = tmp_path / "set/drives/day"
    expected = all_bytes(tmp_path / "set")
    times = {path: path.stat().st_mtime_ns for path in (drive / "left").iterdir()}
    unfinish(drive)
    broken, *whole = sorted(times)
    broken.write_bytes(b"half a pic")
    assert extract(source, tmp_path / "set")[0] == 0
    assert all_bytes(tmp_path / "set") == expected
    assert {path: path.stat().st_mtime_ns for path in whole} == {
        path: times[path] for path in whole
    }


def unfinish(drive: Path) -> None:
    """As if it had been killed just before its end."""
    lines = []
    for line in (drive / "frames.jsonl").read_text().splitlines():
        row = json.loads(line)
        names = ("sharpness", "brightness", "dark_share", "bright_share", "thumbnail")
        known = {name: row[name] for name in ("stamp_ns", "right_stamp_ns", "left", "right")}
        known["sha256"] = [
            hashlib.sha256((drive / row[side]).read_bytes()).hexdigest()
            for side in ("left", "right")
        ]
        known["quality"] = {name: row[name] for name in names}
        known["passed"] = False
        if not lines:
            known["rig_fault"] = ""
        lines.append(json.dumps(known, sort_keys=True))
    torn = '{"stamp_ns": 17'
    (drive / "pictures.partial.jsonl").write_text("\n".join([*lines, torn]))
    (drive / "frames.jsonl").unlink()
    (drive / "left" / ".1.png.123").write_bytes(b"draft")


def test_an_unfinished_drive_of_another_configuration_is_refused(
    tmp_path: Path, extract: Extract
) -> None:
    source = bag(tmp_path / "day", shots(10))
    extract(source, tmp_path / "set")
    unfinish(tmp_path / "set/drives/day")
    code, summary = extract(source, tmp_path / "set", "--tolerance-ms", "3")
    assert code == 1
    assert "tolerance_ms = 5.0 there, 3.0 now" in summary["failures"][0]


def test_two_at_once_do_not_write_one_drive(tmp_path: Path, extract: Extract) -> None:
    source = bag(tmp_path / "day", shots(10))
    extract(source, tmp_path / "set")
    drive = tmp_path / "set/drives/day"
    unfinish(drive)
    with (drive / "extraction.json").open("rb") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)
        code, summary = extract(source, tmp_path / "set")
    assert code == 1
    assert "another process is extracting this drive" in summary["failures"][0]
    assert extract(source, tmp_path / "set")[0] == 0
