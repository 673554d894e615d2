"""The command line makes bags and contact sheets and explains what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import pytest

from cups_training.synthetic.__main__ import main
from cups_training.synthetic.casting import EmbreeMissingError
from cups_training.synthetic.drive import SyntheticDrive
from cups_training.synthetic.settings import DriveSettings


def test_it_makes_a_bag_and_a_contact_sheet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bag, sheet = tmp_path / "drive", tmp_path / "sheet.png"
    assert (
        main(
            [
                "--seed",
                "3",
                "--frames",
                "2",
                "--size",
                "128x64",
                "--out",
                str(bag),
                "--preview",
                str(sheet),
                "--set",
                "ego_motion=cruise",
                "--set",
                "turns=false",
            ]
        )
        == 0
    )
    assert (bag / "metadata.yaml").exists()
    height, width, _ = cv2.imread(str(sheet)).shape
    assert width > 4 * 480
    assert height > 2 * 240
    assert capsys.readouterr().out.split() == [str(bag), str(sheet)]


def test_a_suite_gives_one_bag_per_drive(tmp_path: Path) -> None:
    assert (
        main(
            [
                "--suite",
                "val",
                "--clips",
                "2",
                "--frames",
                "1",
                "--size",
                "64x32",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["200000_usual", "200001_usual"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "ego_moton=cruise"], "did you mean 'ego_motion'"),
        (["--set", "ego_motion=fly"], "expected one of mixed, cruise"),
        (["--size", "many"], "width: expected int, found 'many'"),
        (["--set", "turns=perhaps"], "turns: expected true or false"),
    ],
)
def test_what_it_refuses_it_explains(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_without_embree_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, small: DriveSettings
) -> None:
    monkeypatch.setitem(sys.modules, "embreex.mesh_construction", None)
    with pytest.raises(EmbreeMissingError, match=r"pip install 'cups-ros\[sim\]'"):
        SyntheticDrive(small, 3)
