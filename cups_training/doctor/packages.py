"""Which Python packages the software runs on and in which version; the doctor lists them."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec

from cups_training.doctor.findings import Finding, Verdict

BASE_ADVICE = "pip install cups-ros"
ROS_ADVICE = "source your ROS distribution, or: pip install 'cups-ros[ros]'"
MODULES = {
    "cups_core": BASE_ADVICE,
    "numpy": BASE_ADVICE,
    "scipy": BASE_ADVICE,
    "cv2": BASE_ADVICE,
    "numba": BASE_ADVICE,
    "rosbags": BASE_ADVICE,
    "onnxruntime": "exported models need it: pip install 'cups-ros[inference]'",
    "openvino": "models run faster on many processors: pip install 'cups-ros[openvino]'",
    "embreex": "only synthetic drives need it: pip install 'cups-ros[sim]'",
    "rclpy": ROS_ADVICE,
    "sensor_msgs": ROS_ADVICE,
    "stereo_msgs": ROS_ADVICE,
    "cups_msgs": "from a checkout: pip install ./msg, or: colcon build --base-paths . msg",
}


def check_packages() -> Iterator[Finding]:
    """Python itself and what the core, the tools and the nodes import."""
    yield Finding("Python", Verdict.OK, f"{platform.python_version()} on {platform.machine()}")
    owners = packages_distributions()
    for module, advice in MODULES.items():
        if find_spec(module) is None:
            yield Finding(module, Verdict.MISSING, "not installed", advice)
        elif module in owners:
            owner = owners[module][0]
            yield Finding(module, Verdict.OK, f"{version(owner)} ({owner})")
        else:
            yield Finding(module, Verdict.OK, "importable, its installer left no version")
