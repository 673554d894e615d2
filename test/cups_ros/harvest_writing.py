"""Writes bursts for ever and says after each commit how many messages are safe.

The tests of the harvest bag run it as a program of its own and kill it.
"""

from __future__ import annotations

import sys

import numpy as np
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String

from cups_ros.harvest_bag import BagSettings, HarvestBag
from cups_ros.harvest_file import RecordedTopic
from cups_ros.message_definition import message_definition, type_name

TOPICS = [
    RecordedTopic(name, type_name(kind), message_definition(kind))
    for name, kind in (
        ("/left/image_rect/compressed", CompressedImage),
        ("/right/image_rect/compressed", CompressedImage),
        ("/harvest_node/bursts", String),
    )
]
BURST = 12


def message(number: int) -> tuple[RecordedTopic, bytes]:
    """The topic and the bytes of message `number`, between 1 byte and 200 kB."""
    rng = np.random.default_rng(number)
    return TOPICS[number % len(TOPICS)], rng.bytes(int(10 ** rng.uniform(0, 5.3)))


if __name__ == "__main__":
    bag = HarvestBag(
        BagSettings(folder=sys.argv[1], file_size_mb=5.0, free_reserve_gb=0.0), {"test": "kill"}
    )
    written = 0
    while True:
        for number in range(written, written + BURST):
            topic, data = message(number)
            bag.write(topic, number, data)
        bag.commit()
        written += BURST
        sys.stdout.write(f"{written}\n")
        sys.stdout.flush()
