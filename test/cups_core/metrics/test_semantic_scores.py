from __future__ import annotations

import math

import numpy as np

from cups_core.metrics.semantic_scores import semantic_scores


def test_two_clusters_of_one_class_are_one() -> None:
    # Named: road 60 of 60 right and 10 too many, car 20 of 30.
    confusion = np.array([[40, 10, 0], [20, 0, 0], [0, 20, 0]])
    scores = semantic_scores(confusion, np.array([0, 0, 1]))
    assert scores.iou[:2].tolist() == [60 / 70, 20 / 30]
    assert math.isnan(scores.iou[2])  # nobody predicts it and it is not there
    assert scores.mean_iou == (60 / 70 + 20 / 30) / 2
    assert scores.accuracy == 80 / 90


def test_a_class_left_out_of_the_mean_still_counts_as_an_error_of_others() -> None:
    confusion = np.array([[40, 10], [0, 20]])
    scores = semantic_scores(confusion, np.arange(2), np.array([True, False]))
    assert scores.mean_iou == 40 / 50


def test_without_pixels_there_is_no_score() -> None:
    scores = semantic_scores(np.zeros((2, 2), np.int64), np.arange(2))
    assert math.isnan(scores.mean_iou)
    assert math.isnan(scores.accuracy)
