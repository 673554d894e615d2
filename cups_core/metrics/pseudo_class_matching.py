"""Which class of the truth a pseudo-class stands for: the assignment with the most shared pixels.

Unsupervised labels have no names; the scores of `cups_core.metrics` need them. This is the only
place where labels made by people touch a result.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from cups_core.errors import InputError


def match_freely(confusion: NDArray[np.integer]) -> NDArray[np.int64]:
    """Any pseudo-class may stand for any class, as the semantic scores want it.

    As many pairs as possible are one to one (Hungarian method); a pseudo-class that is left over
    takes the class that it shares most pixels with.

    Args:
        confusion: integer (clusters, classes), shared pixels.

    Returns:
        int64 (clusters,), the class of each pseudo-class.

    Raises:
        InputError: there are pseudo-classes and no class.
    """
    clusters, classes = confusion.shape
    if clusters and not classes:
        raise InputError(f"matching: {clusters} pseudo-classes, but no class to stand for")
    names = confusion.argmax(axis=1) if clusters else np.empty(0, np.int64)
    rows, columns = linear_sum_assignment(confusion, maximize=True)
    names[rows] = columns
    return names


def match_things_and_stuff_apart(
    confusion: NDArray[np.integer],
    cluster_is_thing: NDArray[np.bool_],
    class_is_thing: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Things stand for things and stuff for stuff, as panoptic quality wants it.

    Args:
        confusion: integer (clusters, classes), shared pixels.
        cluster_is_thing: bool (clusters,).
        class_is_thing: bool (classes,).

    Returns:
        int64 (clusters,), the class of each pseudo-class.

    Raises:
        InputError: the lists do not fit the table, or a side has pseudo-classes and no class.
    """
    expected = (len(cluster_is_thing), len(class_is_thing))
    if confusion.shape != expected:
        raise InputError(f"matching: expected a confusion of {expected}, found {confusion.shape}")
    names = np.empty(len(cluster_is_thing), np.int64)
    for side in (False, True):
        clusters = np.flatnonzero(cluster_is_thing == side)
        classes = np.flatnonzero(class_is_thing == side)
        names[clusters] = classes[match_freely(confusion[np.ix_(clusters, classes)])]
    return names
