"""Calibration files of two cameras as other tools and datasets write them.

Image folders come with one: `camera_calibration`'s YAML, KITTI's text, Cityscapes' JSON, EuRoC's
YAML of each sensor.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cups_core.camera_calibration import CameraCalibration, Matrix
from cups_core.errors import CalibrationError
from cups_core.rectification import rectified_stereo_pair

CameraPair = tuple[CameraCalibration, CameraCalibration]
Size = tuple[int, int]


def rectified_camera(P: Matrix, size: Size, frame_id: str = "") -> CameraCalibration:
    """A camera whose pictures are rectified: P says it all."""
    return CameraCalibration(P[:, :3], np.zeros(0), np.eye(3), P, *size, frame_id=frame_id)


def read_camera_yaml(file: Path, size: Size) -> CameraCalibration:
    """One camera as ROS' camera_calibration writes it.

    Args:
        file: with projection_matrix; without camera_matrix the pictures are taken as rectified.
        size: (width, height) of the pictures, where the file does not say it.

    Raises:
        CalibrationError: an entry is missing or makes no sense.
    """
    found = _yaml(file)
    try:
        P = np.array(found["projection_matrix"]["data"], np.float64).reshape(3, 4)
        size = (int(found.get("image_width", size[0])), int(found.get("image_height", size[1])))
        name = str(found.get("camera_name", ""))
        if "camera_matrix" not in found:
            return rectified_camera(P, size, name)
        return CameraCalibration(
            found["camera_matrix"]["data"],
            found["distortion_coefficients"]["data"],
            found["rectification_matrix"]["data"],
            P,
            *size,
            str(found.get("distortion_model", "plumb_bob")),
            name,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CalibrationError(
            f"{file}: expected projection_matrix with 12 numbers under data, and the other "
            f"matrices of camera_calibration, {error!r}"
        ) from error


def read_kitti(file: Path, left: str, right: str, size: Size) -> CameraPair:
    """Two rectified cameras of a text file with lines such as "P2: " and twelve numbers.

    Args:
        file: KITTI's calib.txt or calib_cam_to_cam.txt.
        left: name of the left camera's projection; where lines have no names they count from P0.
        right: of the right camera's.
        size: (width, height) of the pictures.

    Raises:
        CalibrationError: a projection is missing.
    """
    rows: dict[str, Matrix] = {}
    for line in _text(file).splitlines():
        name, colon, numbers = line.rpartition(":")
        words = numbers.split()
        if len(words) == 12:
            try:
                rows[name if colon else f"P{len(rows)}"] = np.array(words, np.float64)
            except ValueError as error:
                raise CalibrationError(f"{file}: expected numbers in {line!r}") from error
    if left not in rows or right not in rows:
        raise CalibrationError(
            f"{file}: expected {left} and {right} with 12 numbers each, found "
            f"{', '.join(rows) or 'neither'}"
        )
    first, second = (rectified_camera(rows[name].reshape(3, 4), size) for name in (left, right))
    return first, second


def read_cityscapes(file: Path, size: Size) -> CameraPair:
    """The rectified rig of a Cityscapes camera file; its sizes are those of the pictures.

    Raises:
        CalibrationError: an entry is missing or makes no sense.
    """
    try:
        found = json.loads(_text(file))
        intrinsic, baseline_m = found["intrinsic"], float(found["extrinsic"]["baseline"])
        P = np.zeros((3, 4))
        P[0, 0], P[1, 1], P[2, 2] = intrinsic["fx"], intrinsic["fy"], 1.0
        P[0, 2], P[1, 2] = intrinsic["u0"], intrinsic["v0"]
    except (KeyError, TypeError, ValueError) as error:
        raise CalibrationError(
            f"{file}: expected intrinsic (fx, fy, u0, v0) and extrinsic (baseline), {error!r}"
        ) from error
    right_P = P.copy()
    right_P[0, 3] = -P[0, 0] * baseline_m
    return rectified_camera(P, size), rectified_camera(right_P, size)


def read_euroc(left: Path, right: Path) -> CameraPair:
    """Two raw cameras of EuRoC's sensor.yaml, with the rectification that they need.

    Raises:
        CalibrationError: an entry is missing or makes no sense.
    """
    cameras, body_from_camera = [], []
    for file in (left, right):
        found = _yaml(file)
        try:
            fx, fy, cx, cy = map(float, found["intrinsics"])
            width, height = map(int, found["resolution"])
            model = str(found["distortion_model"]).replace("radial-tangential", "plumb_bob")
            K = np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
            D = np.array(found["distortion_coefficients"], np.float64)
            cameras.append(CameraCalibration(K, D, np.eye(3), np.eye(3, 4), width, height, model))
            body_from_camera.append(np.array(found["T_BS"]["data"], np.float64).reshape(4, 4))
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(
                f"{file}: expected T_BS, intrinsics, resolution, distortion_model and "
                f"distortion_coefficients as EuRoC has them, {error!r}"
            ) from error
    right_from_left = np.linalg.inv(body_from_camera[1]) @ body_from_camera[0]
    return rectified_stereo_pair(cameras[0], cameras[1], right_from_left)


def _yaml(file: Path) -> dict[str, Any]:
    # OpenCV and EuRoC begin with a version line that YAML does not know.
    lines = [line for line in _text(file).splitlines() if not line.startswith("%YAML:")]
    try:
        found = yaml.safe_load("\n".join(lines))
    except yaml.YAMLError as error:
        raise CalibrationError(f"{file}: expected YAML, {error}") from error
    if not isinstance(found, dict):
        raise CalibrationError(f"{file}: expected names and values, found {found!r:.60}")
    return found


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise CalibrationError(f"{file}: cannot be read ({error})") from error
