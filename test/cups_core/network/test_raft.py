"""RAFT: the golden numbers, and flow and disparity from it for pairs and for streams."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from benchmark.parity_raft import compare  # noqa: E402
from cups_core.errors import CheckpointError, InputError  # noqa: E402
from cups_core.frames import StereoFrame  # noqa: E402
from cups_core.network.checkpoint_files import Checkpoint, read_checkpoint  # noqa: E402
from cups_core.network.raft import Raft  # noqa: E402
from cups_core.network.raft_estimator import RaftEstimator  # noqa: E402
from cups_core.network.raft_matcher import RaftMatcher  # noqa: E402
from cups_core.network.settings import RaftSettings  # noqa: E402
from cups_core.rig import StereoRig  # noqa: E402

HEIGHT, WIDTH = 67, 90
SETTINGS = RaftSettings(iterations=2, device="cpu")


def checkpoint_of(network: Raft) -> Checkpoint:
    tensors = {f"raft.{key}": tensor for key, tensor in network.state_dict().items()}
    return Checkpoint(Path("raft.pt"), "0" * 64, tensors)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(1)
    return checkpoint_of(Raft())


@pytest.fixture(scope="module")
def estimator(checkpoint: Checkpoint) -> RaftEstimator:
    return RaftEstimator(checkpoint, SETTINGS)


@pytest.fixture(scope="module")
def images() -> list[NDArray[np.uint8]]:
    generator = np.random.default_rng(1)
    return [generator.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(6)]


def frames_of(images: list[NDArray[np.uint8]]) -> list[StereoFrame]:
    height, width = images[0].shape[:2]
    rig = StereoRig(np.diag([80.0, 80.0, 1.0]), 0.5, width, height)
    return [
        StereoFrame(left, right, stamp, rig)
        for stamp, (left, right) in enumerate(zip(images[::2], images[1::2], strict=True))
    ]


def test_golden_numbers_are_met(repository: Path) -> None:
    found = compare(repository / "test/data/goldens/raft")
    assert set(found) == {
        *("fmaps", "context", "corr_at_grid_plus_0.37", "corr_pixel_y5_x9"),
        *("flow12_it1", "flow12_it4", "flow12_it16", "flow21_it4"),
        *("disparity_forward_it4", "disparity_backward_it4"),
    }
    assert max(found.values()) < 2e-4


def test_weights_come_from_a_file_with_its_hash(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "raft_smurf.pt"
    torch.save(checkpoint.tensors, path)
    read = read_checkpoint(path)
    assert len(read.tensors) == 94
    assert RaftEstimator(read, SETTINGS).weights_sha256 == read.sha256


def test_another_network_of_the_same_name_is_explained(checkpoint: Checkpoint) -> None:
    stock = {key.removeprefix("raft."): value for key, value in checkpoint.tensors.items()}
    with pytest.raises(CheckpointError, match=r"raft_smurf\.pt.*94 of 94 are missing"):
        RaftEstimator(Checkpoint(Path("stock.pt"), "", stock), SETTINGS)


def test_both_disparities_are_the_flows_along_the_rows(
    estimator: RaftEstimator, images: list[NDArray[np.uint8]]
) -> None:
    left, right = images[:2]
    found, found_right = estimator.disparities(left, right)
    to_right, to_left = estimator.flow(left, right), estimator.flow(right, left)
    np.testing.assert_allclose(found, np.maximum(0, -to_right[..., 0]), atol=1e-4)
    np.testing.assert_allclose(found_right, np.maximum(0, to_left[..., 0]), atol=1e-4)
    assert found.any()
    assert found_right.any()


def test_a_gray_image_is_the_colored_one_without_color(
    estimator: RaftEstimator, images: list[NDArray[np.uint8]]
) -> None:
    first, second = (image[..., 0].copy() for image in images[:2])
    colored = [np.repeat(gray[..., None], 3, axis=2) for gray in (first, second)]
    np.testing.assert_array_equal(estimator.flow(first, second), estimator.flow(*colored))


def test_a_size_that_is_no_multiple_of_eight_is_continued_at_the_border(
    estimator: RaftEstimator, images: list[NDArray[np.uint8]]
) -> None:
    found = estimator.flow(*images[:2])
    assert found.shape == (HEIGHT, WIDTH, 2)
    border = ((0, 72 - HEIGHT), (0, 96 - WIDTH), (0, 0))
    continued = [np.pad(image, border, mode="edge") for image in images[:2]]
    np.testing.assert_array_equal(found, estimator.flow(*continued)[:HEIGHT, :WIDTH])


def test_the_search_starts_from_a_given_flow(images: list[NDArray[np.uint8]]) -> None:
    network = Raft()
    for parameter in network.update_block.flow_head.conv2.parameters():
        torch.nn.init.zeros_(parameter)
    unmoved = RaftEstimator(checkpoint_of(network), SETTINGS)
    start = np.full((HEIGHT, WIDTH, 2), (3.0, -5.0), np.float32)
    found = unmoved.flow(*images[:2], start)
    # The outermost cells mix with what lies beyond the image, which does not move.
    np.testing.assert_allclose(found[8:56, 8:80], start[8:56, 8:80], atol=1e-4)
    assert not unmoved.flow(*images[:2]).any()


def test_a_matcher_measures_what_the_estimator_measures(
    estimator: RaftEstimator, images: list[NDArray[np.uint8]]
) -> None:
    frames = frames_of(images)
    matcher = RaftMatcher(estimator)
    looks = [matcher.look(frame.left, frame.right) for frame in frames]
    for frame, look in zip(frames, looks, strict=True):
        disparity, disparity_right = estimator.disparities(frame.left, frame.right)
        np.testing.assert_allclose(look.disparity, disparity, atol=1e-4)
        np.testing.assert_allclose(look.disparity_right, disparity_right, atol=1e-4)
    # Frames that are not neighbours as well.
    for first, second in ((0, 1), (0, 2)):
        flows = matcher.compare(looks[first], looks[second])
        for found, (start, end) in zip(flows, ((first, second), (second, first)), strict=True):
            expected = estimator.flow(frames[start].left, frames[end].left)
            assert found.flags.c_contiguous
            np.testing.assert_allclose(found, expected, atol=1e-4)


def test_batches_of_pairs_and_single_pairs_agree(checkpoint: Checkpoint) -> None:
    """A GPU gets several directions at once; the network must not mix them."""
    network = Raft().eval()
    network.load_state_dict(
        {key.removeprefix("raft."): tensor for key, tensor in checkpoint.tensors.items()}
    )
    with torch.inference_mode():
        encoded = network.encode(torch.rand(3, 3, 64, 72) * 2 - 1)
        together = network.match(encoded.rows([0, 1, 2]), encoded.rows([1, 2, 0]), 2)
        for row, other in enumerate((1, 2, 0)):
            alone = network.match(encoded.rows([row]), encoded.rows([other]), 2)
            torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=0)


def test_sixteen_bits_come_near_to_float32(
    checkpoint: Checkpoint, estimator: RaftEstimator, images: list[NDArray[np.uint8]]
) -> None:
    settings = RaftSettings(iterations=2, device="cpu", precision="bfloat16")
    found = RaftEstimator(checkpoint, settings).flow(*images[:2])
    exact = estimator.flow(*images[:2])
    assert found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < 0.05 * np.abs(exact).max()


def test_images_that_do_not_fit_are_refused(estimator: RaftEstimator) -> None:
    small = np.zeros((48, 200, 3), np.uint8)
    with pytest.raises(InputError, match="at least 64 pixels"):
        estimator.flow(small, small)
    with pytest.raises(InputError, match="one size"):
        estimator.flow(np.zeros((64, 64, 3), np.uint8), np.zeros((64, 72, 3), np.uint8))


def test_a_gpu_that_is_not_there_is_an_error(checkpoint: Checkpoint) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(InputError, match="no CUDA device"):
        RaftEstimator(checkpoint, RaftSettings(device="cuda"))
