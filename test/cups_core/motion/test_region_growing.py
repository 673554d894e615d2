"""Do regions follow depth and motion edges, and do unsure patches follow what surrounds them?"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cups_core.motion.region_graph import PATCH_SIZE, RegionGraph, build_region_graph
from cups_core.motion.region_growing import bleeding_regions, grow_regions
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.static_evidence import StaticEvidence

HEIGHT, WIDTH = 48, 72
Window = tuple[slice, slice]
FIRST: Window = (slice(12, 36), slice(12, 36))
SECOND: Window = (slice(12, 36), slice(36, 60))


def still(disparity_px: float = 5.0) -> StaticEvidence:
    """A surface that was measured everywhere and stands still."""
    shape = (HEIGHT, WIDTH)
    return StaticEvidence(
        disparity=np.full(shape, disparity_px, np.float32),
        known=np.ones(shape, np.bool_),
        residual=np.zeros((*shape, 2), np.float32),
        disparity_residual=np.zeros(shape, np.float32),
        sigma=np.full(shape, 0.2, np.float32),
        disparity_sigma=0.2,
        informative=np.ones(shape, np.bool_),
        ground=np.zeros(shape, np.bool_),
        ego_motion=RigidTransform.identity(),
        evidence=np.full(shape, -1.0, np.float32),
    )


def move(
    scene: StaticEvidence, window: Window, residual: tuple[float, float], disparity_px: float
) -> None:
    scene.residual[window] = residual
    scene.evidence[window] = 3.0
    scene.disparity[window] = disparity_px


def hush(scene: StaticEvidence, window: Window) -> None:
    """As if nothing had been measured there."""
    scene.known[window] = False
    scene.informative[window] = False
    scene.evidence[window] = 0.0


def grown(scene: StaticEvidence) -> tuple[RegionGraph, NDArray[np.int64]]:
    graph = build_region_graph(scene)
    return graph, grow_regions(graph)[0][graph.labels]


def test_patches_are_small_and_cross_no_depth_or_motion_edge() -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    move(scene, SECOND, (-5.0, 0.0), 10.0)
    graph = build_region_graph(scene)
    for number in range(1, len(graph.area)):
        rows, columns = np.nonzero(graph.labels == number)
        assert np.ptp(rows) < PATCH_SIZE
        assert np.ptp(columns) < PATCH_SIZE
        assert np.ptp(scene.disparity[rows, columns]) == 0
        assert np.ptp(scene.residual[rows, columns, 0]) == 0
    assert graph.area[1:].sum() == HEIGHT * WIDTH


def test_contacts_are_mutual_and_counted_once() -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    graph = build_region_graph(scene)
    one = np.repeat(np.arange(len(graph.area)), np.diff(graph.start))
    pairs = set(zip(one.tolist(), graph.neighbour.tolist(), strict=True))
    assert len(pairs) == len(graph.neighbour)
    assert pairs == {(b, a) for a, b in pairs}
    # Every pair of neighbouring points of two patches is seen from both sides.
    crossings = (graph.labels[1:] != graph.labels[:-1]).sum()
    crossings += (graph.labels[:, 1:] != graph.labels[:, :-1]).sum()
    assert graph.length.sum() == 2 * crossings


def test_the_road_is_one_patch_that_belongs_to_no_region() -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    scene.ground[30:] = True
    graph, region = grown(scene)
    assert (graph.labels[30:] == 0).all()
    assert not region[30:].any()
    assert (region[12:30, 12:36] == 1).all()


def test_a_moving_surface_is_one_region_and_the_rest_is_none() -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    _, region = grown(scene)
    assert (region[FIRST] == 1).all()
    assert (region > 0).sum() == 24 * 24


def test_without_evidence_there_is_no_region() -> None:
    graph = build_region_graph(still())
    region, probability = grow_regions(graph)
    assert not region.any()
    assert probability.max() == 0


@pytest.mark.parametrize(
    ("residual", "disparity_px", "regions"),
    [
        ((5.0, 0.0), 10.0, 1),  # the same motion at the same depth: one object
        ((-5.0, 0.0), 10.0, 2),  # another motion
        ((5.0, 0.0), 20.0, 2),  # another depth
    ],
)
def test_neighbours_are_one_object_if_depth_and_motion_agree(
    residual: tuple[float, float], disparity_px: float, regions: int
) -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    move(scene, SECOND, residual, disparity_px)
    _, region = grown(scene)
    assert region.max() == regions
    assert (region[FIRST] == region[20, 20]).all()
    assert (region[SECOND] == region[20, 40]).all()


def test_a_silent_interior_follows_its_outline() -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    hush(scene, (slice(18, 30), slice(18, 30)))
    _, region = grown(scene)
    assert (region[FIRST] == 1).all()


def test_a_silent_part_of_a_standing_surface_stays_out() -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    hush(scene, (slice(12, 36), slice(42, 54)))
    _, region = grown(scene)
    assert not region[:, 36:].any()


def test_pieces_beside_an_unmeasured_window_are_joined() -> None:
    scene = still()
    move(scene, (slice(12, 36), slice(12, 48)), (5.0, 0.0), 10.0)
    window = (slice(12, 30), slice(24, 36))
    hush(scene, window)
    scene.residual[window] = 0
    _, region = grown(scene)
    assert region[20, 14] == region[20, 46] > 0


def test_a_speck_is_no_core() -> None:
    scene = still()
    move(scene, (slice(20, 23), slice(20, 23)), (5.0, 0.0), 10.0)
    _, region = grown(scene)
    assert not region.any()


def test_a_region_that_repeats_a_nearer_larger_one_beside_it_is_bleeding() -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    move(scene, (slice(12, 36), slice(36, 42)), (5.0, 0.0), 5.0)
    graph, region = grown(scene)
    assert region.max() == 2
    of_patch, _ = grow_regions(graph)
    drop = bleeding_regions(graph, of_patch, 6)
    assert drop[region[20, 38]]
    assert not drop[region[20, 20]]
    assert not drop[0]


@pytest.mark.parametrize(
    ("window", "residual", "disparity_px"),
    [
        ((slice(12, 36), slice(36, 42)), (-5.0, 0.0), 5.0),  # another motion
        ((slice(12, 36), slice(36, 42)), (5.0, 0.0), 20.0),  # nearer than the larger one
        ((slice(12, 36), slice(60, 66)), (5.0, 0.0), 5.0),  # too far away
    ],
)
def test_other_regions_are_not_bleeding(
    window: Window, residual: tuple[float, float], disparity_px: float
) -> None:
    scene = still()
    move(scene, FIRST, (5.0, 0.0), 10.0)
    move(scene, window, residual, disparity_px)
    graph = build_region_graph(scene)
    of_patch, _ = grow_regions(graph)
    assert of_patch.max() == 2
    assert not bleeding_regions(graph, of_patch, 6).any()
