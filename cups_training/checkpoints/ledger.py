"""The ledger of weights: the first table of `docs/weights.md`, the only place that lists them.

`cups checkpoint inspect` quotes the row of a file's kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import dropwhile, takewhile

from cups_core.errors import CupsError
from cups_core.installed_files import installed_file

LEDGER = "docs/weights.md"
COLUMNS = ("kind", "file", "publisher", "licence", "note", "sha256")


class LedgerError(CupsError):
    """The table cannot be read."""


@dataclass(frozen=True)
class LedgerRow:
    """What is known of one kind of file.

    Attributes:
        kind: the value of `WeightKind`.
        file: the name under which it is published.
        publisher: where it comes from.
        licence: of the weights.
        note: what else binds whoever uses them.
        sha256: of the published file; empty where nobody has recorded it.
    """

    kind: str
    file: str
    publisher: str
    licence: str
    note: str
    sha256: str


def read_ledger() -> dict[str, LedgerRow]:
    """The rows by kind.

    Raises:
        LedgerError: its first table has other columns, or a kind comes twice.
        CupsError: the page is not installed.
    """
    lines = installed_file(LEDGER).read_text(encoding="utf-8").splitlines()
    after_text = dropwhile(lambda line: not line.startswith("|"), lines)
    rows = [
        tuple(cell.strip(" `") for cell in line.strip().strip("|").split("|"))
        for line in takewhile(lambda line: line.startswith("|"), after_text)
    ]
    # The second line of a Markdown table separates its head.
    if rows[:1] != [COLUMNS] or any(len(row) != len(COLUMNS) for row in rows):
        raise LedgerError(f"{LEDGER}: expected a table with the columns {', '.join(COLUMNS)}")
    ledger = {row[0]: LedgerRow(*row) for row in rows[2:]}
    if len(ledger) != len(rows) - 2:
        raise LedgerError(f"{LEDGER}: a kind is listed twice")
    return ledger
