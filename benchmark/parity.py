"""Largest difference between this code and golden numbers of the reference, part by part.

python -m benchmark.parity --golden DIR [--json]

DIR holds one part's files, or one folder each of several parts. The exit code is 1 when a part
could not be compared; what difference is small enough, the tests say.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

# Each part with the file that tells its folder; `benchmark.parity_<part>` compares it. That module
# is imported only then: comparing metrics needs no PyTorch.
PARTS = {
    "raft": "raft.npz",
    "depthg": "depthg.npz",
    "network": "calib.npz",
    "motion": "kabsch.npz",
    "metrics": "confusion.npz",
}
Outcome = dict[str, float] | str


def main() -> None:
    """Compare what lies in the folder and print one line per quantity, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--golden", type=Path, required=True, help="folder of golden numbers")
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    arguments = parser.parse_args()
    folders = golden_folders(arguments.golden)
    if not folders:
        sys.exit(
            f"{arguments.golden}: expected golden numbers ({', '.join(PARTS.values())}), there or "
            "one folder further down; found none"
        )
    outcomes = {part: _outcome(part, folder) for part, folder in folders.items()}
    if arguments.json:
        print(json.dumps({part: _as_json(outcome) for part, outcome in outcomes.items()}, indent=1))
    else:
        for part, outcome in outcomes.items():
            _print(part, outcome)
    sys.exit(any(isinstance(outcome, str) for outcome in outcomes.values()))


def golden_folders(root: Path) -> dict[str, Path]:
    """The folder of each part that lies at `root` or one folder further down."""
    candidates = [root, *sorted(path for path in root.glob("*") if path.is_dir())]
    return {
        part: folder
        for part, marker in PARTS.items()
        for folder in reversed(candidates)
        if (folder / marker).is_file()
    }


def _outcome(part: str, folder: Path) -> Outcome:
    """Largest absolute difference by quantity, or why there is none."""
    try:
        compare = importlib.import_module(f"benchmark.parity_{part}").compare
        return dict(compare(folder))
    except ModuleNotFoundError as error:
        return f"{error.name} is not installed"
    except (ValueError, KeyError, OSError) as error:
        return f"{folder}: {error}"


def _as_json(outcome: Outcome) -> dict[str, object]:
    if isinstance(outcome, str):
        return {"not_compared": outcome}
    return {"max_abs_difference": max(outcome.values()), "parts": outcome}


def _print(part: str, outcome: Outcome) -> None:
    if isinstance(outcome, str):
        print(f"{part}: not compared, {outcome}")
        return
    print(f"{part}: {max(outcome.values()):.2e}")
    for quantity, difference in outcome.items():
        print(f"  {quantity:32} {difference:.2e}")


if __name__ == "__main__":
    main()
