"""What a person says of a dataset: licence, consent, place, and how much is for validation.

`cups extract` and `cups import` take it; none of it changes a picture, so it may change later.
"""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.settings import setting


@dataclass(frozen=True)
class CardSettings:
    """What the dataset says of itself; it changes no picture and may differ from run to run."""

    title: str = setting("", "title of the dataset card; the names of the drives where it is empty")
    licence: str = setting("", "licence of the recordings, such as cc-by-4.0")
    consent: str = setting("", "on what grounds people were recorded")
    location: str = setting("", "where and when was driven")
    val_share: float = setting(
        0.2,
        "share of the frames that goes to splits/val.txt, in whole drives",
        minimum=0,
        maximum=1,
    )
