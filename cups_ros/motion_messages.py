"""Results of the online chain as ROS messages; the pseudo-label node publishes them.

Every message carries the header of the left image untouched, so consumers match it by stamp and
frame.
"""

from __future__ import annotations

from array import array

import numpy as np
from cups_msgs.msg import PanopticImage, Segment
from geometry_msgs.msg import Point, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import Image, PointCloud2, PointField, RegionOfInterest
from std_msgs.msg import ColorRGBA, Header
from stereo_msgs.msg import DisparityImage
from visualization_msgs.msg import Marker, MarkerArray

from cups_core.motion.segments import MotionSegments, MovingObject
from cups_core.rig import StereoRig
from cups_ros.kept_image import KeptImage
from cups_ros.stamps import duration_message

CLASS_NAME = "moving object"
NO_DISPARITY = -1.0
POINT = np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("rgb", "<u4")])
POINT_FIELDS = ("x", "y", "z", "rgb")
MARKER_DIAMETER_M = 0.3
TEXT_HEIGHT_M = 0.6
YELLOW = ColorRGBA(r=1.0, g=0.85, b=0.1, a=1.0)


class MotionMessages:
    """Builds the messages in memory that is kept: an image is valid until the next of its kind."""

    def __init__(self) -> None:
        self._segment_map = KeptImage("16UC1")
        self._disparity = KeptImage("32FC1")
        self._depth = KeptImage("32FC1")
        self._overlay = KeptImage("rgb8")

    def panoptic(
        self, header: Header, segments: MotionSegments, recipe: str, processing_s: float
    ) -> PanopticImage:
        """The moving objects as things of a class that nobody has named; ids are track ids."""
        return PanopticImage(
            header=header,
            segment_map=self._segment_map.filled(header, segments.instances),
            segments=[_segment(item) for item in segments.objects],
            recipe=recipe,
            processing_time=duration_message(processing_s),
        )

    def disparity(
        self, header: Header, disparity: NDArray[np.float32], rig: StereoRig
    ) -> DisparityImage:
        """The left disparity (float32 (H, W), pixels, 0 = unknown); unknown becomes -1."""
        image = np.where(disparity > 0, disparity, np.float32(NO_DISPARITY))
        return DisparityImage(
            header=header,
            image=self._disparity.filled(header, image),
            f=rig.fx,
            t=rig.baseline_m,
            valid_window=RegionOfInterest(width=rig.width, height=rig.height),
            min_disparity=0.0,
            max_disparity=float(image.max()),
            delta_d=1.0 / 16.0,
        )

    def depth(self, header: Header, depth: NDArray[np.float32]) -> Image:
        """The depth (float32 (H, W), metres, NaN = unknown) as REP 118 wants it."""
        return self._depth.filled(header, depth)

    def overlay(self, header: Header, picture: NDArray[np.uint8]) -> Image:
        """A picture for people, uint8 (H, W, 3), RGB."""
        return self._overlay.filled(header, picture)


def point_cloud(
    header: Header,
    depth: NDArray[np.float32],
    rig: StereoRig,
    left: NDArray[np.uint8],
    step_px: int,
) -> PointCloud2:
    """Coloured points of every `step_px`-th row and column where the depth is known.

    Args:
        header: of the left image.
        depth: float32 (H, W), metres, NaN = unknown.
        rig: the rig of that size.
        left: uint8 (H, W, 3), RGB.
        step_px: 1 takes every pixel.
    """
    points = rig.back_project(depth)[::step_px, ::step_px]
    known = np.isfinite(points[..., 2])
    red, green, blue = np.moveaxis(left[::step_px, ::step_px][known].astype(np.uint32), -1, 0)
    cloud = np.empty(len(red), POINT)
    cloud["x"], cloud["y"], cloud["z"] = points[known].T
    cloud["rgb"] = red << 16 | green << 8 | blue
    message = PointCloud2(
        header=header,
        height=1,
        width=len(cloud),
        # RViz reads the colour from the bits of a float.
        fields=[
            PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
            for place, name in enumerate(POINT_FIELDS)
        ],
        is_bigendian=False,
        point_step=POINT.itemsize,
        row_step=POINT.itemsize * len(cloud),
        is_dense=True,
    )
    message.data = array("B", cloud.tobytes())
    return message


def object_markers(header: Header, segments: MotionSegments, arrow_s: float) -> MarkerArray:
    """A ball, a text and an arrow, the way of `arrow_s` seconds, for each object with a place."""
    # Objects that are gone must not stay in the picture.
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for item in segments.objects:
        if np.isfinite(item.centroid_m).all():
            markers.append(_ball(header, item))
            markers.append(_text(header, item))
            if np.isfinite(item.velocity_mps).all():
                markers.append(_arrow(header, item, arrow_s))
    return MarkerArray(markers=markers)


def _segment(item: MovingObject) -> Segment:
    left, top, width, height = item.box
    return Segment(
        id=item.id,
        class_id=Segment.UNKNOWN_CLASS,
        class_name=CLASS_NAME,
        is_thing=True,
        score=item.score,
        area=item.area_px,
        box=RegionOfInterest(x_offset=left, y_offset=top, width=width, height=height),
        track_id=item.id,
        centroid=_point(item.centroid_m),
        velocity=Vector3(**dict(zip("xyz", map(float, item.velocity_mps), strict=True))),
    )


def _ball(header: Header, item: MovingObject) -> Marker:
    marker = _marker(header, item, "places", Marker.SPHERE)
    marker.pose.position = _point(item.centroid_m)
    marker.scale = Vector3(x=MARKER_DIAMETER_M, y=MARKER_DIAMETER_M, z=MARKER_DIAMETER_M)
    return marker


def _text(header: Header, item: MovingObject) -> Marker:
    marker = _marker(header, item, "names", Marker.TEXT_VIEW_FACING)
    marker.pose.position = _point(item.centroid_m - np.array([0.0, 2 * TEXT_HEIGHT_M, 0.0]))
    marker.scale.z = TEXT_HEIGHT_M
    speed = f"{item.speed_mps:.1f} m/s" if np.isfinite(item.speed_mps) else "speed unknown"
    marker.text = f"{item.id}: {speed}"
    return marker


def _arrow(header: Header, item: MovingObject, arrow_s: float) -> Marker:
    marker = _marker(header, item, "velocities", Marker.ARROW)
    marker.points = [_point(item.centroid_m), _point(item.centroid_m + arrow_s * item.velocity_mps)]
    marker.scale = Vector3(x=MARKER_DIAMETER_M / 3, y=MARKER_DIAMETER_M, z=0.0)
    return marker


def _marker(header: Header, item: MovingObject, namespace: str, kind: int) -> Marker:
    marker = Marker(
        header=header, ns=namespace, id=item.id, type=kind, action=Marker.ADD, color=YELLOW
    )
    marker.pose.orientation.w = 1.0
    return marker


def _point(place_m: NDArray[np.float64]) -> Point:
    return Point(**dict(zip("xyz", map(float, place_m), strict=True)))
