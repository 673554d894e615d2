"""Every knob of a synthetic drive: size, camera, scenario, and one switch per difficulty.

The scene sampler, the renderer and the sensor model read it; suites and the command line make it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cups_core.settings import setting


@dataclass(frozen=True)
class DriveSettings:
    """What one synthetic drive looks like; the seed says which street and traffic it gets."""

    width: int = setting(1024, "image width, pixels", minimum=32, maximum=4096)
    height: int = setting(512, "image height, pixels", minimum=32, maximum=4096)
    frames: int = setting(20, "number of stereo frames", minimum=1, maximum=600)
    rate_hz: float = setting(10.0, "frames per second", minimum=1.0, maximum=60.0)
    field_of_view_deg: float = setting(
        80.0, "horizontal field of view, degrees", minimum=30.0, maximum=120.0
    )
    baseline_m: float = setting(
        0.54, "distance between the cameras, metres", minimum=0.02, maximum=3.0
    )

    ego_motion: str = setting(
        "mixed",
        "cruise: steady speed; yield: brakes to a stop for crossing traffic; stopped: stands; "
        "mixed: the seed chooses between cruise and yield",
        choices=("mixed", "cruise", "yield", "stopped"),
    )
    ego_shake: float = setting(
        1.0, "yaw, pitch and roll shake, 1 = a passenger car", minimum=0.0, maximum=5.0
    )
    turns: bool = setting(True, "the street may bend")
    traffic: float = setting(
        1.0,
        "number of movers relative to the usual street; 0 = nothing moves",
        minimum=0.0,
        maximum=3.0,
    )
    parked: float = setting(
        0.75, "share of the parking lots that are taken", minimum=0.0, maximum=1.0
    )

    plain_walls: bool = setting(True, "some buildings have walls without any texture")
    saturated_sky: bool = setting(True, "the sky near the sun is overexposed")
    repeated_windows: bool = setting(True, "rows of equal windows, which stereo confuses")
    thin_structures: bool = setting(True, "poles, signs and fences of thin bars")
    leaf_holes: bool = setting(True, "tree crowns of single leaves that one can look through")
    hard_shadows: bool = setting(True, "the sun casts sharp shadows, those of movers move")
    reflections: bool = setting(True, "car paint and glass mirror sky and houses")
    standing_lookalikes: bool = setting(
        True, "people who stand and cars that wait among those that move"
    )
    epipolar_movers: bool = setting(
        True, "a lead car at ego speed and oncoming cars near the focus of expansion"
    )

    motion_blur_ms: float = setting(
        8.0, "shutter time, milliseconds; 0 = none", minimum=0.0, maximum=50.0
    )
    sensor_noise: float = setting(
        1.0, "shot and read noise, 1 = an ordinary automotive camera", minimum=0.0, maximum=10.0
    )
    gain_difference: float = setting(
        0.08, "largest relative exposure difference of the right camera", minimum=0.0, maximum=0.5
    )
    vignette: float = setting(
        0.25, "darkening in the image corners, differs per camera", minimum=0.0, maximum=0.8
    )
    blur_difference_px: float = setting(
        0.45, "defocus (Gaussian sigma) of the right camera, pixels", minimum=0.0, maximum=3.0
    )
    rectification_error_px: float = setting(
        0.3, "largest vertical offset of the right image, pixels", minimum=0.0, maximum=3.0
    )
    rectification_roll_deg: float = setting(
        0.05, "largest roll of the right camera, degrees", minimum=0.0, maximum=1.0
    )
    time_skew_ms: float = setting(
        1.0, "largest delay of the right shutter, milliseconds", minimum=0.0, maximum=20.0
    )


IDEAL_SENSOR = {
    "motion_blur_ms": 0.0,
    "sensor_noise": 0.0,
    "gain_difference": 0.0,
    "vignette": 0.0,
    "blur_difference_px": 0.0,
    "rectification_error_px": 0.0,
    "rectification_roll_deg": 0.0,
    "time_skew_ms": 0.0,
}
"""Values that switch every imperfection of the cameras off."""
