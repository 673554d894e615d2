"""Rows of figures as a table for people or as JSON for programs; the benchmarks end here."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numba
import numpy as np
from numpy.typing import NDArray

Row = Mapping[str, str | float]


def print_rows(tables: Mapping[str, Sequence[Row]], as_json: bool) -> None:
    """Print titled tables and the machine and versions that they were measured with."""
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
    }
    if as_json:
        print(json.dumps({"machine": machine, "tables": tables}, indent=1))
        return
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    for title, rows in tables.items():
        cells = [list(rows[0])] + [[_text(value) for value in row.values()] for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        print(f"\n{title}")
        for line in cells:
            print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


def quantiles(
    error: NDArray[np.float32], by: NDArray[np.float32], edges: tuple[float, ...]
) -> list[Row]:
    """Median and tails of `error` in each bin of `by`; the last bin's end is not part of it."""
    rows: list[Row] = []
    for low, high in pairwise(edges):
        chosen = error[(by >= low) & (by < high)]
        if chosen.size:
            tails = np.percentile(chosen, (50, 68, 90, 99))
            names = ("median", "p68", "p90", "p99")
            row: dict[str, str | float] = {"from": low, "to": high}
            row["share %"] = 100 * chosen.size / error.size
            rows.append(row | {name: float(px) for name, px in zip(names, tails, strict=True)})
    return rows


def _text(value: str | float) -> str:
    return str(value) if isinstance(value, str | int) else f"{value:.2f}"
