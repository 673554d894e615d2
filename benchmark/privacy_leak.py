"""What a blurred plate or face still tells someone who has a list of candidates.

    python -m benchmark.privacy_leak [--candidates 60] [--json]

The attacker knows the settings, the exact region and every candidate, blurs each candidate without
noise and takes the nearest; he may average several frames in which nothing moved. The figure is how
often he is right; guessing is right once in as many times as there are candidates.
"""

from __future__ import annotations

import argparse
import string

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.table import Row, print_rows
from cups_training.privacy.blurring import BlurSettings, blurred
from cups_training.privacy.regions import FACE, PLATE, Region

Picture = NDArray[np.uint8]

SIZES = {PLATE: (20, 88), FACE: (32, 28)}
"""Height and width, pixels."""
SENSOR_NOISE = 2.0
OVERSAMPLING = 4


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows: list[Row] = []
    for title, settings in {
        "16 blocks, no noise": BlurSettings(blocks=16, noise=0.0),
        "3 blocks, no noise": BlurSettings(noise=0.0),
        "3 blocks, noise 20": BlurSettings(noise=20.0),
        "default: 3 blocks, noise 40": BlurSettings(),
        "fill": BlurSettings(method="fill"),
    }.items():
        row: dict[str, str | float] = {"settings": title}
        for kind in SIZES:
            for frames in (1, 10, 100):
                told = share_told_apart(kind, settings, chosen.candidates, frames)
                row[f"{kind}, {frames} frame{'s' if frames > 1 else ''}"] = 100 * told
        rows.append(row)
    print_rows({f"told apart of {chosen.candidates}, percent": rows}, chosen.json)


def share_told_apart(kind: str, settings: BlurSettings, count: int, frames: int) -> float:
    """How often the attacker is right, 0 to 1.

    Args:
        kind: plate or face.
        settings: of the blur.
        count: number of candidates; each is the true one once.
        frames: that are averaged.
    """
    random = np.random.default_rng(1)
    height, width = SIZES[kind]
    make = plate if kind == PLATE else face
    around = random.integers(0, 255, (3 * height, 3 * width, 3)).astype(np.uint8)
    around = np.asarray(cv2.GaussianBlur(around, (0, 0), 3), np.uint8)
    region = [Region(width, height, width, height, kind, 1.0)]
    candidates = []
    for _ in range(count):
        candidate = around.copy()
        candidate[height : 2 * height, width : 2 * width] = make(random, height, width)
        candidates.append(candidate)
    noiseless = BlurSettings(settings.method, settings.blocks, 0.0)
    expected = np.array([blurred(one, region, noiseless) for one in candidates], np.float32)
    right = 0
    for number, one in enumerate(candidates):
        seen = np.zeros(one.shape, np.float64)
        for _ in range(frames):
            noisy = one + random.normal(0, SENSOR_NOISE, one.shape)
            picture = np.rint(noisy.clip(0, 255)).astype(np.uint8)
            seen += blurred(picture, region, settings)
        rows, columns = slice(height, 2 * height), slice(width, 2 * width)
        difference = expected[:, rows, columns] - seen[rows, columns] / frames
        distance = (difference**2).sum(axis=(1, 2, 3))
        # Equal distances are a guess: the first of them is as good as any.
        right += int(np.argmin(distance) == number)
    return right / count


def plate(random: np.random.Generator, height: int, width: int) -> Picture:
    """Seven dark letters and digits on a white plate."""
    text = "".join(random.choice(list(string.ascii_uppercase + string.digits), 7))
    rows, columns = OVERSAMPLING * height, OVERSAMPLING * width
    picture = np.full((rows, columns, 3), 235, np.uint8)
    (length, size), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 1, 2)
    scale = min(0.9 * columns / length, 0.75 * rows / size)
    origin = (round((columns - scale * length) / 2), round((rows + scale * size) / 2))
    thickness = max(2, round(3 * scale))
    cv2.putText(picture, text, origin, cv2.FONT_HERSHEY_DUPLEX, scale, (20, 20, 25), thickness)
    return _reduced(picture, height, width)


def face(random: np.random.Generator, height: int, width: int) -> Picture:
    """A head with eyes, brows, mouth and hair, each somewhere else and of another size."""
    rows, columns = OVERSAMPLING * height, OVERSAMPLING * width
    picture = np.full((rows, columns, 3), (60, 50, 45), np.uint8)
    middle = (columns // 2, rows // 2)
    axes = (
        int(columns * random.uniform(0.36, 0.46)),
        int(rows * random.uniform(0.42, 0.49)),
    )
    cv2.ellipse(picture, middle, axes, 0, 0, 360, (200, 160, 130), -1)
    eyes, apart = int(rows * random.uniform(0.35, 0.45)), columns * random.uniform(0.13, 0.22)
    radius = int(columns * random.uniform(0.04, 0.08))
    brow = eyes - int(radius * random.uniform(1.5, 3))
    for side in (-1, 1):
        x = round(columns / 2 + side * apart)
        cv2.circle(picture, (x, eyes), radius, (30, 25, 20), -1)
        cv2.line(picture, (x - radius, brow), (x + radius, brow), (50, 35, 25), radius // 2 + 1)
    mouth = (columns // 2, int(rows * random.uniform(0.68, 0.78)))
    lips = (int(columns * random.uniform(0.1, 0.2)), int(rows * random.uniform(0.02, 0.06)))
    cv2.ellipse(picture, mouth, lips, 0, 0, 360, (140, 60, 60), -1)
    picture[: int(rows * random.uniform(0.05, 0.25))] = random.uniform(20, 90, 3)
    return _reduced(picture, height, width)


def _reduced(picture: Picture, height: int, width: int) -> Picture:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    main()
