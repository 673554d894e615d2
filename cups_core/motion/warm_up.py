"""A made-up stereo drive of a few small frames, run once before the first real frame counts.

It compiles the kernels of the online chain and touches their memory; the vehicle node calls it
before it reports that it is configured, so that no camera image waits for the compiler.
"""

from __future__ import annotations

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
OBJECT = (slice(140, 340), 140, 220)


def warm_up(motion: OnlineMotion) -> None:
    """Run the whole chain on a textured wall with a box that moves before it, then forget it."""
    K = np.array([[300.0, 0.0, WIDTH / 2], [0.0, 300.0, HEIGHT / 2], [0.0, 0.0, 1.0]])
    rig = StereoRig(K, 0.5, WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    margin = OBJECT_PX + FRAMES * STEP_PX
    wall, box = (
        rng.integers(0, 255, (HEIGHT, WIDTH + margin, 3)).astype(np.uint8) for _ in range(2)
    )

    def view(disparity_shift: int, number: int) -> NDArray[np.uint8]:
        picture = wall[:, disparity_shift * BACKGROUND_PX :][:, :WIDTH].copy()
        rows, column, width = OBJECT
        left = column + number * STEP_PX - disparity_shift * OBJECT_PX
        picture[rows, left : left + width] = box[rows, :width]
        return np.asarray(picture)

    for number in range(FRAMES):
        stamp_ns = NANOSECONDS_PER_SECOND + number * NANOSECONDS_PER_SECOND // 10
        motion.process(StereoFrame(view(0, number), view(1, number), stamp_ns, rig))
    motion.reset()
