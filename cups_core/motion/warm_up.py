"""A made-up stereo drive of a few small frames, run once before the first real frame counts.

It compiles the kernels of the online chain and touches their memory; the vehicle node calls it
before it reports that it is configured, so that no camera image waits for the compiler.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cups_core.frames import NANOSECONDS_PER_SECOND, StereoFrame
from cups_core.motion.online import OnlineMotion
from cups_core.rig import StereoRig

# Just large enough to be worked on at half its size, as the pictures of a vehicle are.
WIDTH, HEIGHT = 704, 448
FRAMES = 4
BACKGROUND_PX, OBJECT_PX = 12, 40
STEP_PX = 16
GRAIN_PX = 8
ROWS, BOX_PX = slice(140, 300), 140
FIRST_COLUMN, SECOND_COLUMN = 180, 440


def warm_up(motion: OnlineMotion) -> None:
    """Run the whole chain on a textured wall with two boxes that move before it, then forget it."""
    K = np.array([[300.0, 0.0, WIDTH / 2], [0.0, 300.0, HEIGHT / 2], [0.0, 0.0, 1.0]])
    rig = StereoRig(K, 0.5, WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    margin = OBJECT_PX + FRAMES * STEP_PX
    wall, box = (
        cv2.resize(
            rng.integers(0, 255, (HEIGHT // GRAIN_PX, (WIDTH + margin) // GRAIN_PX, 3)).astype(
                np.uint8
            ),
            (WIDTH + margin, HEIGHT),
        )
        for _ in range(2)
    )

    def view(disparity_shift: int, number: int) -> NDArray[np.uint8]:
        picture = wall[:, disparity_shift * BACKGROUND_PX :][:, :WIDTH].copy()
        # Two boxes that part: one alone could be the camera's own motion.
        for column, step in ((FIRST_COLUMN, STEP_PX), (SECOND_COLUMN, -STEP_PX)):
            left = column - number * step - disparity_shift * OBJECT_PX
            picture[ROWS, left : left + BOX_PX] = box[ROWS, :BOX_PX]
        return np.asarray(picture)

    for number in range(FRAMES):
        stamp_ns = NANOSECONDS_PER_SECOND + number * NANOSECONDS_PER_SECOND // 10
        motion.process(StereoFrame(view(0, number), view(1, number), stamp_ns, rig))
    motion.reset()
