"""Made-up streets of flat boards whose disparity and flow are known exactly.

The tests of the motion stages cast rays at them; nothing here calls what is tested, but for the
types that carry the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.frames import StereoFrame
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.motion.scene_flow import StereoMotion
from cups_core.rig import StereoRig

HEIGHT, WIDTH = 160, 320
RIG = StereoRig(
    np.array([[240.0, 0.0, 159.5], [0.0, 240.0, 79.5], [0.0, 0.0, 1.0]]), 0.54, WIDTH, HEIGHT
)
CAMERA_HEIGHT_M = 1.5
INTERVAL_S = 0.1
INTERVAL_NS = 100_000_000
STANDING = RigidTransform.identity()
DRIVING = RigidTransform.from_twist(np.array([0.0, 0.004, 0.0, 0.0, 0.0, -0.6]))
"""Motion of static points as the camera sees it: 6 m/s ahead in a slight bend."""

Floats = NDArray[np.float64]
Map = NDArray[np.float32]


@dataclass(frozen=True)
class Board:
    """A rectangle across one axis of the first camera's frame.

    Attributes:
        centre_m: at frame 0, metres.
        size_m: along the two other axes in their order, metres.
        velocity_mps: over ground, along the axes of the first camera.
        axis: 2 = upright and facing the camera, 1 = lying, 0 = upright along the road.
        turn_rad_s: rate at which it turns about the vertical through its centre, rad/s.
    """

    centre_m: tuple[float, float, float]
    size_m: tuple[float, float]
    velocity_mps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axis: int = 2
    turn_rad_s: float = 0.0

    def pose(self, frame: int) -> RigidTransform:
        """From its own axes at its centre to the frame of the first camera."""
        time = frame * INTERVAL_S
        turn = RigidTransform.from_twist(np.array([0.0, self.turn_rad_s * time, 0.0, 0, 0, 0]))
        centre = np.array(self.centre_m) + np.array(self.velocity_mps) * time
        return RigidTransform(turn.rotation, centre)


ROAD = Board((0.0, CAMERA_HEIGHT_M, 0.0), (1000.0, 1000.0), axis=1)
WALL = Board((0.0, -18.5, 40.0), (400.0, 40.0))
STREET = (
    ROAD,
    WALL,
    Board((-5.0, 0.0, 13.0), (2.0, 3.0)),
    Board((4.5, -0.5, 18.0), (2.5, 4.0)),
    Board((-9.0, -1.5, 25.0), (4.0, 6.0)),
    Board((9.0, 0.0, 24.0), (3.0, 3.0)),
)
"""A road, a house across its end and four static things beside it: numbers 1 to 6."""


@dataclass(frozen=True)
class Scene:
    """Boards, numbered from 1, and a camera that repeats one step from frame to frame.

    Attributes:
        boards: what there is to see.
        step: takes static points from the camera frame at t to the one at t+1.
        rig: calibration.
    """

    boards: tuple[Board, ...] = STREET
    step: RigidTransform = STANDING
    rig: StereoRig = RIG

    def plus(self, *boards: Board) -> Scene:
        """The scene with more boards."""
        return replace(self, boards=self.boards + boards)

    def _camera(self, frame: int) -> RigidTransform:
        """From the first camera's frame to that of the camera at `frame`."""
        pose = STANDING
        for _ in range(frame):
            pose = self.step.after(pose)
        return pose

    def _cast(
        self, frame: int, right: bool = False, finer: int = 1
    ) -> tuple[Floats, NDArray[np.intp], Floats]:
        """Depth (H, W), number of the board and place (H, W, 2) on it that each ray meets."""
        rig = self.rig.resized(self.rig.width * finer, self.rig.height * finer)
        rays = rig.back_project(np.ones(rig.shape, np.float32)).astype(np.float64)
        to_world = self._camera(frame).inverse()
        origin = to_world.apply(np.array([rig.baseline_m * right, 0.0, 0.0]))
        directions = rays @ to_world.rotation.T
        depth = np.full(rig.shape, np.inf)
        number = np.zeros(rig.shape, np.intp)
        place = np.zeros((*rig.shape, 2))
        for index, board in enumerate(self.boards, start=1):
            to_board = board.pose(frame).inverse()
            start, along = to_board.apply(origin), directions @ to_board.rotation.T
            others = [axis for axis in range(3) if axis != board.axis]
            with np.errstate(divide="ignore", invalid="ignore"):
                hit = -start[board.axis] / along[..., board.axis]
                on = (start + hit[..., None] * along)[..., others]
            seen = (hit > 0.1) & (hit < depth) & (2 * np.abs(on) <= board.size_m).all(-1)
            depth[seen], number[seen], place[seen] = hit[seen], index, on[seen]
        return depth, number, place

    @lru_cache(maxsize=64)  # noqa: B019 - scenes are few and small
    def _view(self, frame: int, right: bool = False) -> tuple[Floats, NDArray[np.intp]]:
        return self._cast(frame, right)[:2]

    def numbers(self, frame: int = 0) -> NDArray[np.intp]:
        """The board that each left pixel shows, (H, W)."""
        return self._view(frame)[1]

    def movers(self, frame: int = 0) -> NDArray[np.intp]:
        """The same for boards that move, 0 elsewhere."""
        moves = [any(board.velocity_mps) or board.turn_rad_s != 0 for board in self.boards]
        moving = np.array([False, *moves])
        return np.where(moving[self.numbers(frame)], self.numbers(frame), 0)

    def disparities(self, frame: int = 0) -> tuple[Map, Map]:
        """Exact disparity of the left and of the right view, pixels."""
        left, right = (
            (self.rig.focal_baseline / self._view(frame, side)[0]).astype(np.float32)
            for side in (False, True)
        )
        return left, right

    def flow(self, start: int = 0, end: int = 1) -> Map:
        """Exact flow of the left image, pixels, also of what is hidden or outside at the end."""
        depth, number = self._view(start)
        x, y = np.meshgrid(np.arange(self.rig.width), np.arange(self.rig.height))
        points = np.stack(
            [(x - self.rig.cx) / self.rig.fx, (y - self.rig.cy) / self.rig.fy, np.ones(x.shape)], -1
        )
        points *= np.minimum(depth, 1e6)[..., None]
        world = self._camera(start).inverse().apply(points)
        for index, board in enumerate(self.boards, start=1):
            carried = board.pose(end).after(board.pose(start).inverse())
            world[number == index] = carried.apply(world[number == index])
        target = self.rig.project(self._camera(end).apply(world))
        return np.nan_to_num(target - np.stack([x, y], -1), nan=1e4).astype(np.float32)

    def motion(
        self,
        start: int = 0,
        end: int = 1,
        flow_noise_px: float = 0.0,
        disparity_noise_px: float = 0.0,
        seed: int = 0,
    ) -> StereoMotion:
        """What ideal estimators would measure, with Gaussian noise per pixel and map."""
        random = np.random.default_rng(seed)

        def noisy(values: Map, size_px: float) -> Map:
            return (values + random.normal(0, size_px, values.shape)).astype(np.float32)

        flows = [
            noisy(self.flow(*frames), flow_noise_px) for frames in ((start, end), (end, start))
        ]
        maps = [
            np.maximum(noisy(values, disparity_noise_px), 0)
            for frame in (start, end)
            for values in self.disparities(frame)
        ]
        return StereoMotion(*flows, *maps)

    def frame(self, number: int) -> StereoFrame:
        """The textured images of one frame."""
        images = [self._picture(number, side) for side in (False, True)]
        return StereoFrame(images[0], images[1], 1_000_000_000 + number * INTERVAL_NS, self.rig)

    def _picture(self, frame: int, right: bool) -> NDArray[np.uint8]:
        _, number, place = self._cast(frame, right, finer=2)
        picture = np.zeros((*number.shape, 3), np.uint8)
        for index, board in enumerate(self.boards, start=1):
            # About one texel per pixel at the board's first distance.
            texel_m = max(board.centre_m[2], 6.0) / self.rig.fx
            at = np.mod(place / texel_m, 512).astype(np.float32)
            colours = cv2.remap(
                _texture(index),
                at[..., 0],
                at[..., 1],
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_WRAP,
            )
            picture[number == index] = colours[number == index]
        return np.asarray(
            cv2.resize(picture, (self.rig.width, self.rig.height), interpolation=cv2.INTER_AREA)
        )


def _texture(seed: int) -> NDArray[np.uint8]:
    """Noise of several scales, as natural surfaces have it, (512, 512, 3)."""
    random = np.random.default_rng(seed)
    total = np.zeros((512, 512), np.float32)
    for size in (2, 8, 32):
        rough = random.normal(0, 1, (512 // size, 512 // size)).astype(np.float32)
        total += cv2.resize(rough, (512, 512), interpolation=cv2.INTER_CUBIC)
    gray = np.clip(128 + 35 * total, 0, 255)
    return np.clip(gray[..., None] * random.uniform(0.7, 1.2, 3), 0, 255).astype(np.uint8)


def numbered_frame(number: int, stamp_ns: int, rig: StereoRig = RIG) -> StereoFrame:
    """Plain images whose brightness says which frame of a scene they stand for."""
    image = np.full((*rig.shape, 3), number, np.uint8)
    return StereoFrame(image, image, stamp_ns, rig)


class ExactEstimator:
    """Flow and disparity estimator that reads a frame's number off it and knows the scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene

    def flow(
        self, first: NDArray[np.uint8], second: NDArray[np.uint8], start: Map | None = None
    ) -> Map:
        """Exact flow between two numbered frames."""
        return self.scene.flow(int(first.flat[0]), int(second.flat[0]))

    def disparities(self, left: NDArray[np.uint8], right: NDArray[np.uint8]) -> tuple[Map, Map]:
        """Exact disparities of a numbered frame."""
        return self.scene.disparities(int(left.flat[0]))


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks."""
    return float((found & truth).sum() / max((found | truth).sum(), 1))
