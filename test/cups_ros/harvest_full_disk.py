"""Fills the small disk that it is given, makes space again, and checks the harvest on it.

A test runs it in a mount namespace of its own; it ends with 0 when all is as it should be.
"""

from __future__ import annotations

import sys
from pathlib import Path

from harvest_writing import BURST, message
from mcap.reader import make_reader

from cups_ros.harvest_bag import BagSettings, BagWriteError, HarvestBag


def main(disk: Path) -> None:
    """Everything in order; an assertion that fails says what is not."""
    other = disk / "other"
    other.write_bytes(bytes(1_000_000))
    bag = HarvestBag(
        BagSettings(folder=str(disk), compression="none", free_reserve_gb=0.0), {"test": "disk"}
    )
    written, complaint = 0, ""
    while not complaint:
        for number in range(written, written + BURST):
            topic, data = message(number)
            bag.write(topic, number, data)
        written += BURST
        try:
            bag.commit()
        except BagWriteError as error:
            complaint = str(error)
    assert "No space left on device" in complaint, complaint
    (path,) = bag.path.iterdir()
    assert path.stat().st_size == bag.written_bytes
    other.unlink()
    bag.require_space(0)
    bag.close()
    (path,) = bag.path.glob("*.mcap")
    with path.open("rb") as stream:
        found = [item.data for _, _, item in make_reader(stream).iter_messages()]
    assert found == [message(number)[1] for number in range(written)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
