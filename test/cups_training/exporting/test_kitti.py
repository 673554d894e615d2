"""The KITTI layout, read by pykitti, and by Pillow where it has no reader."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pytest
from PIL import Image

from .conftest import RIG, TRUTH_UNITS_PER_PX, Export, Painted


def test_pykitti_reads_pictures_calibration_and_times(painted: Painted, export: Export) -> None:
    pykitti = pytest.importorskip("pykitti")
    output = export("kitti", recipe="")
    read = pykitti.odometry(str(output / "train"), "day_1")
    assert len(read) == 7
    assert read.calib.b_rgb == pytest.approx(RIG.baseline_m, abs=1e-9)
    assert np.allclose(read.calib.K_cam2, RIG.K)
    assert np.allclose(read.calib.K_cam3, RIG.K)
    stamps = painted.stamps("day_1")
    for index, stamp in enumerate(stamps):
        left, right = (np.array(picture) for picture in read.get_rgb(index))
        assert np.array_equal(left, painted.pictures["day_1", stamp, "left"])
        assert np.array_equal(right, painted.pictures["day_1", stamp, "right"])
        assert read.timestamps[index].total_seconds() == pytest.approx(
            (stamp - stamps[0]) / 1e9, abs=1e-6
        )


def test_calibration_tells_baseline_by_the_usual_formula(export: Export) -> None:
    text = (export("kitti", recipe="") / "val/sequences/night/calib.txt").read_text()
    rows = dict(line.split(":") for line in text.splitlines())
    left, right = (np.array(rows[name].split(), float).reshape(3, 4) for name in ("P2", "P3"))
    assert left[0, 3] / left[0, 0] - right[0, 3] / right[0, 0] == pytest.approx(RIG.baseline_m)
    assert np.allclose(left[:, :3], RIG.K)


def test_dates_keep_every_nanosecond(painted: Painted, export: Export) -> None:
    folder = export("kitti", recipe="") / "train/sequences/day_1"
    lines = (folder / "timestamps.txt").read_text().splitlines()
    for stamp, line in zip(painted.stamps("day_1"), lines, strict=True):
        whole, _, rest = line.partition(".")
        date = datetime.strptime(whole, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
        assert int(date.timestamp()) * 10**9 + int(rest) == stamp


def test_disparity_of_truth_has_256_units_and_no_wrong_value(
    painted: Painted, export: Export
) -> None:
    output = export("kitti", recipe="")
    assert not (output / "train/sequences/day_1/disp_occ_0").exists()
    for index, stamp in enumerate(painted.stamps("night")):
        truth = np.array(Image.open(painted.root / f"truth/night/{stamp}_disparity.png"))
        expected = truth.astype(float) / TRUTH_UNITS_PER_PX
        path = output / f"val/sequences/night/disp_occ_0/{index:010d}.png"
        read = np.array(Image.open(path)).astype(float) / 256
        fits = expected < 256
        assert fits.any()
        assert (~fits).any()
        assert np.array_equal(read[fits], expected[fits])
        assert not read[~fits].any()
