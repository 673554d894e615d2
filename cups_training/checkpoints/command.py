"""`cups checkpoint inspect`: what a file of weights is, whether it fits, and its licence.

The command line hands over to it. Nothing that the file may contain is executed.
"""

from __future__ import annotations

import argparse
import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cups_core.errors import CupsError
from cups_training.checkpoints.ledger import LEDGER, LedgerRow, read_ledger

if TYPE_CHECKING:
    from cups_core.network.checkpoint_report import CheckpointReport, PartReport

SHOWN_KEYS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the verb."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="action")
    inspect = actions.add_parser("inspect", help="say what a file of weights is")
    inspect.add_argument("file", type=Path, help="a .ckpt, .pth, .pt, .pkl or .safetensors file")
    inspect.add_argument("--json", action="store_true", help="machine-readable output")


def run(chosen: argparse.Namespace) -> int:
    """Print what the file is; 0 = it could be read.

    Raises:
        CupsError: PyTorch is missing, or the file is damaged, holds no weights or would run code.
    """
    if find_spec("torch") is None:
        raise CupsError(
            f"{chosen.file}: reading weights needs PyTorch, which is not installed: "
            "pip install 'cups-ros[networks]'"
        )
    from cups_core.network.checkpoint_report import report_on

    report = report_on(chosen.file)
    row = read_ledger().get(report.kind)
    print(json.dumps(_as_json(report, row), indent=1) if chosen.json else _as_text(report, row))
    return 0


def _as_json(report: CheckpointReport, row: LedgerRow | None) -> dict[str, Any]:
    return {
        "file": str(report.path),
        "bytes": report.size_bytes,
        "sha256": report.sha256,
        "kind": report.kind,
        "description": report.description,
        "networks": {name: _part_as_json(part) for name, part in report.parts.items()},
        "left_over": list(report.beside),
        "about": dict(report.about),
        "licence": row and {"licence": row.licence, "publisher": row.publisher, "note": row.note},
        "is_the_published_file": _is_published(report, row),
    }


def _part_as_json(part: PartReport) -> dict[str, Any]:
    different = part.differences
    return {
        "tensors": part.tensors,
        "things": part.things,
        "stuffs": part.stuffs,
        "fits": part.fits,
        "missing": list(different.missing) if different else [],
        "reshaped": list(different.reshaped) if different else [],
        "left_over": list(different.left_over) if different else [],
        "problem": part.problem,
    }


def _as_text(report: CheckpointReport, row: LedgerRow | None) -> str:
    lines = [
        f"{report.path}: {report.description}",
        f"  sha256   {report.sha256}  ({report.size_bytes / 1e6:.1f} MB)",
    ]
    for name, part in report.parts.items():
        classes = "" if part.things is None else f", {part.things} things and {part.stuffs} stuffs"
        lines.append(f"  {name:8} {part.tensors} tensors{classes}: {_fit(part)}")
    if report.beside:
        lines.append(f"  beside   {len(report.beside)} tensors: {_some(report.beside)}")
    lines += [f"  {name:8} {words}" for name, words in report.about.items()]
    if row is None:
        return "\n".join(
            [*lines, f"  licence  not in the ledger {LEDGER}: ask whoever published it"]
        )
    lines.append(f"  licence  {row.licence} ({row.publisher}). {row.note}")
    if _is_published(report, row) is False:
        lines.append(f"  careful  {LEDGER} lists another file of this kind, sha256 {row.sha256}")
    return "\n".join(lines)


def _fit(part: PartReport) -> str:
    if part.problem:
        return f"does not fit, {part.problem}"
    return f"does not fit, {part.differences}" if part.differences else "fits"


def _is_published(report: CheckpointReport, row: LedgerRow | None) -> bool | None:
    """Whether it is the very file of the ledger; None where no hash is recorded."""
    return report.sha256 == row.sha256 if row and row.sha256 else None


def _some(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:SHOWN_KEYS]) + (", ..." if len(keys) > SHOWN_KEYS else "")
