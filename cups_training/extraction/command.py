"""`cups extract`: recorded drives become a dataset.

The command line hands over to it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from cups_core.recording.recording import open_recording
from cups_training.extraction.bag_source import BagSource
from cups_training.extraction.drive_extraction import extract_drive
from cups_training.extraction.settings import CardSettings, ExtractionSettings
from cups_training.extraction.topic_map import chosen_topics, topics_from_words
from cups_training.labelling.executors import usable_cores
from cups_training.selection.settings import SelectionSettings
from cups_training.setting_words import settings_from_words, split_words

GROUPS = {"pictures": ExtractionSettings, "pairs": SelectionSettings, "card": CardSettings}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--drive")
    parser.add_argument("--topics", default="")
    parser.add_argument("--workers", type=int, default=usable_cores())
    parser.add_argument("--set", action="append", default=[])


def run(chosen):
    words = split_words(chosen.set)
    settings = settings_from_words(words, GROUPS)
    *bags, root = chosen.paths
    for bag in bags:
        with open_recording([bag]) as recording:
            topics = chosen_topics(
                recording.topics.values(), topics_from_words(chosen.topics), bag.name
            )
            source = BagSource(chosen.drive or bag.stem, recording, topics, settings["pictures"])
            record = extract_drive(
                source,
                root / "drives",
                settings["pictures"],
                settings["pairs"],
                chosen.workers,
                lambda n: None,
            )
            print(record)
    return 0
