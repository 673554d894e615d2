"""Runs every check and prints the table; `cups doctor` calls it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cups_training.doctor.findings import Finding, Verdict
from cups_training.doctor.packages import check_packages
from cups_training.doctor.ros_stack import (
    check_one_ros,
    check_profile,
    check_receive_buffer,
    check_shared_memory,
)
from cups_training.doctor.torch_pair import check_torch_import, check_torch_pair

COLORS = {Verdict.OK: "green", Verdict.MISSING: "yellow", Verdict.WRONG: "bold red"}


def examine() -> Iterator[Finding]:
    """All findings about this environment."""
    yield from check_packages()
    yield from check_one_ros()
    yield check_profile()
    yield from check_shared_memory()
    yield from check_receive_buffer()
    pair = check_torch_pair()
    yield pair
    if pair.verdict is Verdict.OK:
        yield check_torch_import()


def print_report() -> int:
    """Prints the findings; returns the exit code, 1 when something is wrong."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    findings = list(examine())
    for finding in findings:
        what = Text(finding.found)
        if finding.advice:
            what.append(f"\n-> {finding.advice}", style="italic")
        table.add_row(Text(finding.verdict.value, COLORS[finding.verdict]), finding.subject, what)
    Console().print(table)
    return int(any(finding.verdict is Verdict.WRONG for finding in findings))
