"""The stereo topics are found by the names that drivers and people give them."""

from __future__ import annotations

import pytest

from cups_core.recording.messages import Topic
from cups_core.recording.stereo_topics import (
    COMPRESSED,
    INFO,
    RAW,
    StereoTopics,
    is_rectified,
    propose,
)


def topics(*names: str, count: int | None = 10) -> list[Topic]:
    """Topics with the types that their names suggest."""
    return [
        Topic(
            name,
            INFO if "info" in name else COMPRESSED if name.endswith("compressed") else RAW,
            count,
        )
        for name in names
    ]


@pytest.mark.parametrize(
    ("left_image", "right_image", "left_info", "right_info"),
    [
        # image_proc and everybody who follows it
        ("/left/image_rect", "/right/image_rect", "/left/camera_info", "/right/camera_info"),
        (
            *("/stereo/left/image_rect_color", "/stereo/right/image_rect_color"),
            *("/stereo/left/camera_info", "/stereo/right/camera_info"),
        ),
        # ZED, SDK 4 and 5
        (
            *("/zed/zed_node/left/image_rect_color", "/zed/zed_node/right/image_rect_color"),
            *("/zed/zed_node/left/camera_info", "/zed/zed_node/right/camera_info"),
        ),
        (
            *("/zed/zed_node/left/color/rect/image", "/zed/zed_node/right/color/rect/image"),
            "/zed/zed_node/left/color/rect/camera_info",
            "/zed/zed_node/right/color/rect/camera_info",
        ),
        # RealSense
        (
            *("/camera/camera/infra1/image_rect_raw", "/camera/camera/infra2/image_rect_raw"),
            *("/camera/camera/infra1/camera_info", "/camera/camera/infra2/camera_info"),
        ),
        (
            *("/camera/fisheye1/image_raw", "/camera/fisheye2/image_raw"),
            *("/camera/fisheye1/camera_info", "/camera/fisheye2/camera_info"),
        ),
        # OAK
        (
            *("/oak/left/image_rect/compressed", "/oak/right/image_rect/compressed"),
            *("/oak/left/camera_info", "/oak/right/camera_info"),
        ),
        # KITTI and EuRoC as they are found as bags
        (
            *("/kitti/camera_color_left/image_raw", "/kitti/camera_color_right/image_raw"),
            *("/kitti/camera_color_left/camera_info", "/kitti/camera_color_right/camera_info"),
        ),
        ("/cam0/image_raw", "/cam1/image_raw", None, None),
        ("/camera_2/image", "/camera_3/image", "/camera_2/camera_info", "/camera_3/camera_info"),
        ("/cam1/image", "/cam2/image", "/cam1/camera_info", "/cam2/camera_info"),
        # people
        (
            *("/left_camera/image", "/right_camera/image"),
            *("/left_camera/camera_info", "/right_camera/camera_info"),
        ),
        (
            *("/car/front_left/image_raw", "/car/front_right/image_raw"),
            *("/car/front_left/camera_info", "/car/front_right/camera_info"),
        ),
        (
            *("/camera/image_left", "/camera/image_right"),
            *("/camera/camera_info_left", "/camera/camera_info_right"),
        ),
        (
            *("/camera/image_left", "/camera/image_right"),
            *("/camera/left/camera_info", "/camera/right/camera_info"),
        ),
        ("/CameraLeft/image", "/CameraRight/image", None, None),
        ("/camera_l/image_raw", "/camera_r/image_raw", "/camera_l/info", "/camera_r/info"),
        ("/LEFT/image", "/RIGHT/image", "/LEFT/camera_info", "/RIGHT/camera_info"),
        ("/rig/left/image_raw", "/rig/right/image_raw", "/rig/left/camera_info", None),
    ],
)
def test_the_names_of_drivers_and_people_are_understood(
    left_image: str, right_image: str, left_info: str | None, right_info: str | None
) -> None:
    rig = StereoTopics(left_image, right_image, left_info, right_info)
    names = [name for name in (left_image, right_image, left_info, right_info) if name]
    others = ["/imu/left", "/depth/left/image", "/depth/right/image", "/lone/left/image"]
    assert propose(topics(*names, *others)) == [rig]


def test_rectified_pictures_are_preferred_then_colored_then_plain_ones() -> None:
    names = [
        f"/rig/{side}/{leaf}"
        for side in ("left", "right")
        for leaf in (
            *("image_raw", "image_raw/compressed", "image_rect_gray", "image_rect_color"),
            *("image_rect_color/compressed", "image", "camera_info"),
        )
    ]
    found = []
    while rigs := propose(topics(*names)):
        (rig,) = rigs
        assert rig.left_info == "/rig/left/camera_info"
        found.append(rig.left_image.removeprefix("/rig/left/"))
        names = [name for name in names if name not in (rig.left_image, rig.right_image)]
    assert found == [
        *("image_rect_color", "image_rect_color/compressed", "image_rect_gray"),
        *("image", "image_raw", "image_raw/compressed"),
    ]


def test_raw_pictures_go_with_the_calibration_beside_them() -> None:
    names = [
        f"/zed/{side}{kind}/{leaf}"
        for side in ("left", "right")
        for kind, leaves in (("", ("camera_info",)), ("_raw", ("image_raw", "camera_info")))
        for leaf in leaves
    ]
    (rig,) = propose(topics(*names))
    assert rig.left_info == "/zed/left_raw/camera_info"
    assert rig.right_info == "/zed/right_raw/camera_info"


def test_several_rigs_are_several_proposals_the_calibrated_and_longest_first() -> None:
    recorded = [
        *topics("/rear/left/image_rect", "/rear/right/image_rect"),
        *topics(
            *("/front/left/image_rect", "/front/right/image_rect"),
            *("/front/left/camera_info", "/front/right/camera_info"),
        ),
        *topics(
            *("/roof/left/image_rect", "/roof/right/image_rect"),
            *("/roof/left/camera_info", "/roof/right/camera_info"),
            count=99,
        ),
    ]
    rigs = propose(recorded)
    assert [rig.left_image.split("/")[1] for rig in rigs] == ["roof", "front", "rear"]
    assert rigs[2] == StereoTopics("/rear/left/image_rect", "/rear/right/image_rect", None, None)


def test_each_camera_of_a_row_belongs_to_one_pair() -> None:
    rigs = propose(topics(*(f"/cam{number}/image_raw" for number in range(4))))
    assert [rig.left_image for rig in rigs] == ["/cam0/image_raw", "/cam2/image_raw"]


def test_a_topic_that_stopped_at_once_is_the_last_choice() -> None:
    recorded = [
        *topics("/rig/left/image_rect", "/rig/left/image_raw", "/rig/right/image_raw"),
        *topics("/rig/right/image_rect", count=2),
    ]
    assert propose(recorded)[0].left_image == "/rig/left/image_raw"


def test_without_two_sides_there_is_no_proposal() -> None:
    assert propose(topics("/left/image", "/camera/image", "/right/camera_info")) == []
    assert propose(topics("/left/image", "/right/image", count=0)) == []
    # One side compressed and the other not is no pair to be read as one.
    assert propose(topics("/left/image", "/right/image/compressed")) == []


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("/left/image_rect_color", True),
        ("/camera/infra1/image_rect_raw", True),
        ("/zed/left/color/rect/image", True),
        ("/left/image_raw", False),
        ("/left/image", None),
        ("/left/rectangle/image", None),
        ("/left/unrectified", False),
    ],
)
def test_the_name_tells_whether_pictures_are_rectified(topic: str, expected: bool | None) -> None:
    assert is_rectified(topic) is expected
