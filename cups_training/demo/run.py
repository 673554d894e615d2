"""`cups demo` from the drive to the report: play, film, score, print.

The command line calls it; every step is a module of its own in this folder.
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cups_core.errors import InputError
from cups_core.metrics.motion_masks import MaskCounts, count_masks, total
from cups_training.contact_sheet import contact_sheet
from cups_training.demo.playing import play
from cups_training.demo.recording import Recording, percentiles
from cups_training.demo.report import write_report
from cups_training.demo.synthetic_drive import synthetic_drive
from cups_training.demo.truth import read_truth
from cups_training.demo.video import write_video

SHEET_PICTURES, SHEET_COLUMNS, SHEET_WIDTH = 12, 3, 480
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 86]


def make_synthetic_drive(output: Path, frames: int, seed: int) -> Path:
    """The bag of a synthetic drive in the output folder, made with a progress bar where needed."""
    with Progress() as progress:
        task = progress.add_task("rendering a synthetic drive", total=frames)
        bag = synthetic_drive(
            output, frames, seed, lambda done: progress.update(task, completed=done)
        )
        progress.update(task, completed=frames)
    return bag


def run_demo(drive: Path, output: Path) -> None:
    """Plays a drive through the node and writes video, contact sheet and report.

    Args:
        drive: a bag or a folder of pictures.
        output: an existing folder for all that is written; what an earlier run recorded goes.

    Raises:
        CupsError: the drive cannot be played or nothing came back.
    """
    console = Console()
    for recorded in ("labels", "overlays", "log"):
        shutil.rmtree(output / recorded, ignore_errors=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        transient=False,
    ) as progress:
        task = progress.add_task("starting player, node and recorder")

        def show(recording: Recording) -> None:
            if recording.published_ns:
                progress.update(
                    task,
                    description=f"playing: {len(recording.published_ns)} frames, "
                    f"{len(recording.labels)} results, {recording.labelled_hz:.1f} Hz",
                )

        recording = play(drive, output, show)
        progress.stop_task(task)
        task = progress.add_task("video, contact sheet, scores")
        video, sheet = output / "overlay.mp4", output / "contact_sheet.jpg"
        write_video(video, _film(recording, output), round(recording.played_hz, 2))
        cv2.imwrite(str(sheet), _sheet(recording, output)[..., ::-1], JPEG)
        scores = _scores(recording, drive, output)
        progress.stop_task(task)
    report = output / "report.html"
    write_report(report, drive.name, recording, scores, video, sheet, _provenance(drive))
    console.print(_summary(recording, scores))
    for name, file in (("report", report), ("video", video), ("contact sheet", sheet)):
        console.print(f"{name:>13}  {file.resolve()}", soft_wrap=True, highlight=False)


def _overlays(output: Path) -> dict[int, Path]:
    """The recorded pictures by stamp, in the order of time."""
    return dict(sorted((int(file.stem), file) for file in (output / "overlays").glob("*.jpg")))


def _picture(file: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(file))
    if image is None:
        raise InputError(f"{file}: expected a recorded picture, found something else")
    return np.asarray(image[..., ::-1])


def _film(recording: Recording, output: Path) -> Iterator[NDArray[np.uint8]]:
    """One picture for each played frame; where one was dropped, the last result stands still."""
    files = _overlays(output)
    last: NDArray[np.uint8] | None = None
    for stamp_ns in sorted(recording.published_ns.keys() | files.keys()):
        if stamp_ns in files:
            last = _picture(files[stamp_ns])
        if last is not None:
            yield last


def _sheet(recording: Recording, output: Path) -> NDArray[np.uint8]:
    files = _overlays(output)
    stamps = sorted(files.keys() & recording.labels.keys())
    places = np.unique(np.linspace(0, len(stamps) - 1, SHEET_PICTURES).astype(int))
    chosen = [stamps[place] for place in places]
    captions = [
        f"{(stamp - stamps[0]) / 1e9:.1f} s   {len(recording.labels[stamp].objects)} moving"
        for stamp in chosen
    ]
    pictures = [_picture(files[stamp]) for stamp in chosen]
    return contact_sheet(pictures, captions, SHEET_COLUMNS, SHEET_WIDTH)


def _scores(recording: Recording, drive: Path, output: Path) -> MaskCounts | None:
    """Counts over all frames with a result but the first, where nothing can be known to move."""
    judged: list[MaskCounts] = []
    first = min(recording.labels)
    for stamp_ns, truth in read_truth(drive):
        if stamp_ns in recording.labels and stamp_ns != first:
            file = output / "labels" / f"{stamp_ns}.png"
            predicted = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
            if predicted is None:
                raise InputError(f"{file}: expected the recorded segment map, found none")
            judged.append(count_masks(predicted, truth))
    return total(judged) if judged else None


def _provenance(drive: Path) -> dict[str, str]:
    return {
        "drive": str(drive),
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.system()}",
        "software": ", ".join(
            f"{name} {version(name)}" for name in ("cups-ros", "numpy", "opencv-python-headless")
        ),
        "Python": platform.python_version(),
    }


def _processor() -> str:
    names = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.machine()


def _summary(recording: Recording, scores: MaskCounts | None) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(justify="right", style="dim")
    table.add_column()
    rows: Sequence[tuple[str, str]] = [
        ("played", f"{len(recording.published_ns)} frames at {recording.played_hz:.1f} Hz"),
        ("results", f"{len(recording.labels)} at {recording.labelled_hz:.1f} Hz"),
        ("dropped", str(len(recording.dropped))),
        ("latency", _spread(recording.latency_ms)),
        ("processing", _spread(recording.processing_ms)),
        ("tracks", str(len(recording.tracks()))),
    ]
    if scores is not None:
        rows = [
            *rows,
            ("precision", f"{scores.precision:.3f} at IoU 0.5"),
            ("recall", f"{scores.recall:.3f}, within 40 m {scores.near_recall:.3f}"),
            ("foreground IoU", f"{scores.foreground_iou:.3f}"),
        ]
    for row in rows:
        table.add_row(*row)
    return table


def _spread(values_ms: NDArray[np.floating]) -> str:
    p50, p95, p99 = percentiles(values_ms)
    return f"p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"
