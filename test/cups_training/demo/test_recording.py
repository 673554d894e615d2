from __future__ import annotations

import numpy as np
import pytest

from cups_training.demo.recording import Recording, percentiles

MS = 1_000_000


def frame(number: int) -> dict:
    return {"event": "frame", "stamp_ns": number, "published_ns": number * 100 * MS}


def label(number: int, latency_ms: int, *objects: tuple[int, float | None]) -> dict:
    return {
        "event": "label",
        "stamp_ns": number,
        "received_ns": (number * 100 + latency_ms) * MS,
        "processing_s": 0.05,
        "recipe": "a recipe",
        "objects": [
            {"id": identity, "area_px": 10 * number, "speed_mps": speed}
            for identity, speed in objects
        ],
    }


def recorded(*events: dict) -> Recording:
    recording = Recording()
    for event in events:
        recording.add(event)
    return recording


def test_rate_latency_and_drops_follow_from_the_events() -> None:
    found = recorded(frame(1), frame(2), label(1, 60), frame(3), label(3, 80))
    assert found.played_hz == pytest.approx(10)
    assert found.labelled_hz == pytest.approx(1 / 0.220)
    assert found.dropped == [2]
    assert found.latency_ms.tolist() == [60, 80]
    assert found.processing_ms.tolist() == [50, 50]


def test_the_recording_is_whole_with_the_result_of_the_newest_frame() -> None:
    assert not recorded().has_last_result
    assert not recorded(frame(1), label(1, 60), frame(2)).has_last_result
    assert recorded(frame(1), frame(2), label(2, 60)).has_last_result


def test_a_result_before_its_frame_was_heard_of_has_no_latency() -> None:
    assert recorded(label(1, 60)).latency_ms.size == 0
    assert recorded(label(1, 60), frame(1)).latency_ms.tolist() == [60]


def test_too_few_events_have_no_rate() -> None:
    assert np.isnan(recorded().played_hz)
    assert np.isnan(recorded(frame(1)).played_hz)
    assert np.isnan(percentiles(np.array([]))).all()


def test_tracks_collect_an_id_over_time() -> None:
    long, short = recorded(
        label(1, 60, (7, None)), label(2, 60, (7, 3.0), (9, None)), label(4, 60, (7, 5.0))
    ).tracks()
    assert (long.id, long.stamps_ns, long.speed_mps, long.largest_px) == (7, (1, 2, 4), 4.0, 40)
    assert (short.id, short.speed_mps) == (9, None)


def test_the_last_figures_of_each_node_are_kept() -> None:
    def told(value: str) -> dict:
        return {"event": "diagnostics", "name": "/node", "message": "", "values": {"rate": value}}

    assert recorded(told("1"), told("2")).diagnostics == {"/node": {"rate": "2"}}
