"""False masks and ego-motion on a drive past parked things with given poses, KITTI odometry layout.

    python -m benchmark.parked ../shared/data/kitti_residential [--json]

The folder holds image_l, image_r (gray PNG), calib.txt (P0, P1) and poses.txt (3x4 rows, camera to
world). Every mask is counted; what is left to a person is to look whether something does move there
(--pictures DIR).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from cups_core.drawing import overlay_segments
from cups_core.frames import StereoFrame
from cups_core.motion.online import OnlineMotion
from cups_core.motion.rigid_transform import RigidTransform
from cups_core.rig import StereoRig

INTERVAL_NS = 100_000_000


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("drive", type=Path)
    parser.add_argument(
        "--pictures", type=Path, help="write an overlay of each frame with a mask here"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    projections = np.loadtxt(arguments.drive / "calib.txt").reshape(2, 3, 4)
    poses = [
        RigidTransform(row[:, :3], row[:, 3])
        for row in np.loadtxt(arguments.drive / "poses.txt").reshape(-1, 3, 4)
    ]
    chain = OnlineMotion()
    masks, tracks, errors, seconds = [], set(), [], []
    for index, path in enumerate(sorted((arguments.drive / "image_l").glob("*.png"))):
        left, right = (
            cv2.cvtColor(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), cv2.COLOR_GRAY2RGB)
            for file in (path, arguments.drive / "image_r" / path.name)
        )
        baseline = -projections[1][0, 3] / projections[1][0, 0]
        rig = StereoRig(projections[0][:, :3], baseline, left.shape[1], left.shape[0])
        start = time.perf_counter()
        result = chain.process(StereoFrame(left, right, index * INTERVAL_NS, rig))
        seconds.append(time.perf_counter() - start)
        if index == 0:
            continue
        masks.append(len(result.segments.objects))
        tracks |= {item.id for item in result.segments.objects}
        true = poses[index].inverse().after(poses[index - 1])
        step = np.linalg.norm(true.translation_m)
        errors.append(
            float(np.linalg.norm(result.ego_motion.translation_m - true.translation_m) / step)
        )
        if arguments.pictures and masks[-1]:
            arguments.pictures.mkdir(parents=True, exist_ok=True)
            picture = overlay_segments(left, result.segments)
            cv2.imwrite(
                str(arguments.pictures / path.name), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
            )
    report = {
        "frames": len(masks),
        "masks_per_frame": round(float(np.mean(masks)), 3),
        "tracks_shown": len(tracks),
        "ego_translation_error_median": round(float(np.median(errors)), 4),
        "ego_translation_error_max": round(float(np.max(errors)), 4),
        "seconds_per_frame_median": round(float(np.median(seconds)), 4),
    }
    if arguments.json:
        json.dump(report, sys.stdout)
        print()
    else:
        print(report)


if __name__ == "__main__":
    main()
