"""Semantic classes of the synthetic street: the Cityscapes train ids.

The models write them, the truth carries them, the bag and the benchmark name them.
"""

from __future__ import annotations

from enum import IntEnum


class StreetClass(IntEnum):
    """Cityscapes train ids that the street uses."""

    ROAD = 0
    SIDEWALK = 1
    BUILDING = 2
    WALL = 3
    FENCE = 4
    POLE = 5
    TRAFFIC_LIGHT = 6
    TRAFFIC_SIGN = 7
    VEGETATION = 8
    TERRAIN = 9
    SKY = 10
    PERSON = 11
    RIDER = 12
    CAR = 13
    BICYCLE = 18
