"""The anonymizer: all detectors count, and the manifest says what was done."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from cups_core.errors import InputError
from cups_core.frames import StereoFrame
from cups_core.rig import StereoRig
from cups_training.privacy.anonymizer import Anonymizer, provenance
from cups_training.privacy.blurring import BlurSettings, unreadable
from cups_training.privacy.regions import FACE, PLATE, FrameContext, Region, Side

RIG = StereoRig(np.array([[50.0, 0, 32], [0, 50.0, 24], [0, 0, 1]]), 0.5, 64, 48)


@dataclass(frozen=True)
class Given:
    """A detector that knows what it finds in the left picture."""

    found: tuple[Region, ...]

    def regions(self, frame: FrameContext) -> list[Region]:
        return list(self.found) if frame.side == "left" else []

    def provenance(self) -> dict[str, Any]:
        return {"kind": "given"}


def frame(side: Side) -> FrameContext:
    left, right = np.random.default_rng(1).integers(0, 256, (2, 48, 64, 3), np.uint8)
    return FrameContext("drive", side, StereoFrame(left, right, 7, RIG))


FACES = Given((Region(5, 5, 12, 12, FACE, 0.9),))
PLATES = Given((Region(30, 30, 20, 8, PLATE, 0.8), Region(31, 30, 20, 8, PLATE, 0.6)))


def test_whatever_any_detector_finds_is_hidden_and_nothing_else_changes() -> None:
    context = frame("left")
    result = Anonymizer([FACES, PLATES], BlurSettings()).apply(context)
    assert result.counts == {FACE: 1, PLATE: 1}
    hidden = unreadable(context.picture.shape, result.regions, BlurSettings())
    changed = (result.picture != context.picture).any(axis=2)
    assert changed[hidden].mean() > 0.9
    assert not changed[:, 60:].any()


def test_a_picture_without_regions_keeps_its_bytes() -> None:
    result = Anonymizer([FACES], BlurSettings()).apply(frame("right"))
    assert np.array_equal(result.picture, frame("right").picture)
    assert result.counts == {}


def test_the_order_of_detectors_does_not_matter() -> None:
    one, other = (
        Anonymizer(detectors, BlurSettings()).apply(frame("left")).picture
        for detectors in ([FACES, PLATES], [PLATES, FACES])
    )
    assert np.array_equal(one, other)


def test_the_manifest_says_what_was_done_and_how_often() -> None:
    anonymizer = Anonymizer([FACES, PLATES], BlurSettings(blocks=2))
    found = provenance(anonymizer, [{FACE: 2, PLATE: 1}, {}, {PLATE: 1}])
    assert found["anonymized"] is True
    assert found["pictures"] == 3
    assert found["pictures_touched"] == 2
    assert found["regions"] == {FACE: 2, PLATE: 2}
    assert found["blur"]["blocks"] == 2
    assert found["detectors"] == [{"kind": "given"}, {"kind": "given"}]


def test_the_manifest_says_that_the_user_declined() -> None:
    found = provenance(None, [])
    assert found["anonymized"] is False
    assert "--no-privacy" in found["note"]


def test_an_anonymizer_needs_a_detector() -> None:
    with pytest.raises(InputError, match="at least one detector"):
        Anonymizer([], BlurSettings())


def test_an_anonymizer_goes_to_other_processes() -> None:
    anonymizer = pickle.loads(pickle.dumps(Anonymizer([FACES], BlurSettings())))
    expected = Anonymizer([FACES], BlurSettings()).apply(frame("left")).picture
    assert np.array_equal(anonymizer.apply(frame("left")).picture, expected)
