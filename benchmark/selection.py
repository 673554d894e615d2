"""What selection drops of drives of which it is known what should go, and what measuring costs.

    python -m benchmark.selection [--kitti ../shared/data] [--seconds 20] [--json]

Synthetic drives brake to a standstill in an empty street, with disturbances that are no motion, or
stand and watch traffic; others are spoilt by blur, exposure, repeated pictures and gaps. The real
drives (--kitti) hold nothing that should be dropped, until one is spoilt and its last picture held.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmark.table import Row, print_rows
from cups_core.frame_quality import measure
from cups_core.frames import NANOSECONDS_PER_SECOND
from cups_core.image_decoding import decode_compressed
from cups_core.recording.recording import open_recording
from cups_training.selection.pairs import STANDING, MeasuredFrame, PairDecision, select
from cups_training.selection.settings import SelectionSettings
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings

Gray = NDArray[np.uint8]
Disturbance = Callable[[Gray, int, np.random.Generator], Gray]

RATE_HZ = 10
SETTINGS = SelectionSettings()
SIZE = {"width": 512, "height": 256}
BRAKING_SEED, WATCHING_SEEDS, CRUISING_SEED = 7, (11, 12, 14), 9
STOPPED_MPS = 0.05
HELD_S = 60
SPOILT_EACH = 9
# Moving things that cover less of the picture are a few pixels: shown apart, not judged.
VISIBLE_SHARE = 0.002


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kitti", type=Path, help="folder with the real drives")
    parser.add_argument("--seconds", type=int, default=20, help="length of the synthetic drives")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    tables: dict[str, list[Row]] = {
        "standing in an empty street": _braking(given.seconds),
        "standing, watching traffic": _watching(given.seconds),
        "spoilt frames": [_spoilt("synthetic", _cruise(given.seconds))],
    }
    if given.kitti:
        crossing, residential = _crossing(given.kitti), _residential(given.kitti)
        tables["real drives, nothing to drop"] = [
            _kept("parked, traffic crosses", select(_measured(crossing), SETTINGS)),
            _kept("driving past parked cars", select(_measured(residential), SETTINGS)),
        ]
        tables["real pictures, the last one held for a minute"] = [
            _held(name, residential, disturbance) for name, disturbance in DISTURBANCES.items()
        ]
        tables["spoilt frames"].append(_spoilt("real", residential))
        tables["time, one core"] = _times(crossing[0])
    print_rows(tables, given.json)


def _braking(seconds: int) -> list[Row]:
    settings = DriveSettings(
        **SIZE, frames=seconds * RATE_HZ, rate_hz=RATE_HZ, ego_motion="yield", traffic=0.0
    )
    drive = SyntheticDrive(settings, BRAKING_SEED)
    pictures = _pictures(drive)
    travelled = [drive.scene.ego.trajectory.distance(i / RATE_HZ) for i in range(len(drive))]
    stands = np.diff(travelled) * RATE_HZ < STOPPED_MPS
    return [
        _standing(name, _disturbed(pictures, disturbance), stands)
        for name, disturbance in DISTURBANCES.items()
    ]


def _held(name: str, drive: Sequence[Gray], disturbance: Disturbance) -> Row:
    pictures = [*drive, *[drive[-1]] * (HELD_S * RATE_HZ)]
    # A real camera never delivers one picture twice: noise tells the copies apart.
    random = np.random.default_rng(3)
    noisy = [_with_noise(picture, random, 2.0) for picture in pictures]
    stands = np.arange(len(pictures) - 1) >= len(drive) - 1
    return _standing(name, _disturbed(noisy, disturbance), stands)


def _standing(name: str, pictures: Sequence[Gray], stands: NDArray[np.bool_]) -> Row:
    """Precision and recall of the pairs dropped because nothing moves."""
    decisions = select(_measured(pictures), SETTINGS)
    dropped = np.array([_has(decision, STANDING) for decision in decisions])
    # The first pair of a stand and one per interval are to be kept.
    start = int(np.argmax(stands))
    allowed = 1 + (len(stands) - 1 - start) // round(SETTINGS.standing_interval_s * RATE_HZ)
    right = int((dropped & stands).sum())
    return {
        "disturbed by": name,
        "pairs": len(stands),
        "to drop": int(stands.sum()) - allowed,
        "dropped": int(dropped.sum()),
        "precision %": 100 * right / max(1, int(dropped.sum())),
        "recall %": 100 * right / max(1, int(stands.sum()) - allowed),
    }


def _watching(seconds: int) -> list[Row]:
    """Pairs that are kept from a standing car, by how much of the picture moves."""
    shares, kept = [], []
    for seed in WATCHING_SEEDS:
        settings = DriveSettings(
            **SIZE, frames=seconds * RATE_HZ, rate_hz=RATE_HZ, ego_motion="stopped"
        )
        drive = SyntheticDrive(settings, seed)
        pictures = []
        for index in range(len(drive)):
            pictures.append(_gray(drive.frame(index).left))
            shares.append(float(drive.truth(index).moving.mean()))
        shares.pop()  # the last frame begins no pair
        kept += [decision.kept for decision in select(_measured(pictures), SETTINGS)]
    share, is_kept = np.array(shares), np.array(kept)
    edges = [0.0, 1e-9, 0.0005, VISIBLE_SHARE, 0.01, 1.0]
    rows: list[Row] = []
    for low, high in zip(edges, edges[1:], strict=False):
        chosen = (share >= low) & (share < high)
        if chosen.any():
            rows.append(
                {
                    "moving, % of the picture": f"{100 * low:.2f} to {100 * high:.2f}",
                    "pairs": int(chosen.sum()),
                    "kept %": 100 * float(is_kept[chosen].mean()),
                }
            )
    return rows


def _spoilt(name: str, drive: Sequence[Gray]) -> Row:
    """Precision and recall of the pairs dropped of a moving drive with spoilt frames in it."""
    random = np.random.default_rng(5)
    pictures, stamps = (
        list(drive),
        [round(i * NANOSECONDS_PER_SECOND / RATE_HZ) for i in range(len(drive))],
    )
    places = random.permutation(np.arange(2, len(pictures) - 2, 2))
    bad: set[int] = set()
    for place, spoil in zip(
        places[: SPOILT_EACH * len(SPOILS)], SPOILS * SPOILT_EACH, strict=False
    ):
        bad.add(int(place))
        pictures[place] = spoil(pictures[place], pictures[place - 1])
    removed = {int(place) for place in places[-3:]} - bad
    left = [index for index in range(len(pictures)) if index not in removed]
    decisions = select(
        [MeasuredFrame(stamps[index], measure(pictures[index])) for index in left], SETTINGS
    )
    wrong = np.array(
        [b - a > 1 or a in bad or b in bad for a, b in zip(left, left[1:], strict=False)]
    )
    dropped = np.array([not decision.kept for decision in decisions])
    return {
        "pictures": name,
        "pairs": len(wrong),
        "to drop": int(wrong.sum()),
        "dropped": int(dropped.sum()),
        "precision %": 100 * float(wrong[dropped].mean()),
        "recall %": 100 * float(dropped[wrong].mean()),
    }


def _kept(name: str, decisions: Sequence[PairDecision]) -> Row:
    kept = sum(decision.kept for decision in decisions)
    return {"drive": name, "pairs": len(decisions), "kept": kept}


def _times(picture: Gray) -> list[Row]:
    cv2.setNumThreads(1)
    other = measure(picture[:, ::-1].copy())
    frames = [MeasuredFrame(i * 100_000_000, other) for i in range(1000)]
    height, width = picture.shape
    return [
        {"step": f"measure {width}x{height}", "ms, best": _best_ms(lambda: measure(picture), 200)},
        {
            "step": "select, per frame",
            "ms, best": _best_ms(lambda: select(frames, SETTINGS), 3) / len(frames),
        },
    ]


def _best_ms(work: Callable[[], object], repeats: int) -> float:
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


def _none(picture: Gray, index: int, random: np.random.Generator) -> Gray:
    return picture


def _flicker(picture: Gray, index: int, random: np.random.Generator) -> Gray:
    gain = 1 + 0.12 * np.sin(0.9 * index) + random.normal(0, 0.02)
    return np.asarray(cv2.convertScaleAbs(picture, alpha=gain))


def _vibration(picture: Gray, index: int, random: np.random.Generator) -> Gray:
    x, y = random.normal(0, 0.3, 2) * picture.shape[1] / 640
    shift = np.array([[1, 0, x], [0, 1, y]])
    return np.asarray(
        cv2.warpAffine(picture, shift, picture.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    )


def _rain(picture: Gray, index: int, random: np.random.Generator) -> Gray:
    """Streaks in the air, and every two seconds a drop that stays on the windscreen."""
    rainy = picture.copy()
    height, width = rainy.shape
    bright = 50 * min(1, width / 1242)  # a streak thinner than a pixel covers a part of it
    for _ in range(120):
        x, y = int(random.integers(width)), int(random.integers(height))
        length = int(random.integers(8, 24)) * height // 256
        cv2.line(rainy, (x, y), (x + 2, y + length), int(min(255, int(rainy[y, x]) + bright)), 1)
    landed = np.random.default_rng(1)
    for _ in range(index // (2 * RATE_HZ)):
        center = (int(landed.integers(width)), int(landed.integers(height)))
        cv2.circle(rainy, center, width // 60, int(landed.integers(60, 200)), -1)
    return rainy


def _wiper(picture: Gray, index: int, random: np.random.Generator) -> Gray:
    """A dark blade that crosses the picture in 0.4 s, every 1.2 s there and back."""
    cycle = (index / RATE_HZ) % 1.2
    progress = cycle / 0.4 if cycle < 0.4 else (0.8 - cycle) / 0.4 if cycle < 0.8 else -1.0
    wiped = picture.copy()
    if progress >= 0:
        height, width = wiped.shape
        foot, tip = int(width * (0.2 + 0.6 * progress)), int(width * (1.2 * progress - 0.1))
        cv2.line(wiped, (foot, height), (tip, 0), 25, width // 16)
    return wiped


def _with_noise(picture: Gray, random: np.random.Generator, sigma: float) -> Gray:
    return (picture + random.normal(0, sigma, picture.shape)).round().clip(0, 255).astype(np.uint8)


def _noise(picture: Gray, index: int, random: np.random.Generator) -> Gray:
    return _with_noise(picture, random, 8.0)


def _everything(picture: Gray, index: int, random: np.random.Generator) -> Gray:
    for disturbance in (_rain, _wiper, _vibration, _flicker, _noise):
        picture = disturbance(picture, index, random)
    return picture


DISTURBANCES: dict[str, Disturbance] = {
    "nothing": _none,
    "noise": _noise,
    "exposure flicker": _flicker,
    "vibration": _vibration,
    "rain": _rain,
    "wiper": _wiper,
    "all of them": _everything,
}


def _smeared(picture: Gray, before: Gray) -> Gray:
    return np.asarray(cv2.blur(picture, (picture.shape[1] // 50, 1)))


def _defocused(picture: Gray, before: Gray) -> Gray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), picture.shape[1] / 250))


def _blackened(picture: Gray, before: Gray) -> Gray:
    return np.asarray(cv2.convertScaleAbs(picture, alpha=0.03))


def _blinded(picture: Gray, before: Gray) -> Gray:
    return np.asarray(cv2.convertScaleAbs(picture, alpha=5.0))


def _frozen(picture: Gray, before: Gray) -> Gray:
    return before


SPOILS = [_smeared, _defocused, _blackened, _blinded, _frozen]


def _disturbed(pictures: Sequence[Gray], disturbance: Disturbance) -> list[Gray]:
    random = np.random.default_rng(2)
    return [disturbance(picture, index, random) for index, picture in enumerate(pictures)]


def _measured(pictures: Sequence[Gray]) -> list[MeasuredFrame]:
    return [
        MeasuredFrame(index * NANOSECONDS_PER_SECOND // RATE_HZ, measure(picture))
        for index, picture in enumerate(pictures)
    ]


def _has(decision: PairDecision, kind: str) -> bool:
    return any(reason.partition(":")[0] == kind for reason in decision.reasons)


def _pictures(drive: SyntheticDrive) -> list[Gray]:
    return [_gray(drive.frame(index).left) for index in range(len(drive))]


def _cruise(seconds: int) -> list[Gray]:
    settings = DriveSettings(**SIZE, frames=seconds * RATE_HZ, rate_hz=RATE_HZ, ego_motion="cruise")
    return _pictures(SyntheticDrive(settings, CRUISING_SEED))


def _crossing(root: Path) -> list[Gray]:
    topic = "/stereo/left/image_rect/compressed"
    with open_recording([root / "kitti_crossing_bag"]) as recording:
        return [
            _gray(decode_compressed(recording.decoded(message), topic))
            for message in recording.messages([topic])
        ]


def _residential(root: Path) -> list[Gray]:
    paths = sorted((root / "kitti_residential" / "image_l").glob("*.png"))
    return [np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)) for path in paths]


def _gray(picture: NDArray[np.uint8]) -> Gray:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))


if __name__ == "__main__":
    main()
