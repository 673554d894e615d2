"""A stereo drive from two folders of pictures and a calibration file; `drive_player` plays it.

`cups_core.recording.image_folders` knows the layouts; here the pictures become messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rclpy.serialization import serialize_message
from std_msgs.msg import Header

from cups_core.errors import CupsError
from cups_core.image_decoding import as_rgb
from cups_core.recording.image_folders import find_image_folders, read_picture
from cups_core.rectification import StereoRectification
from cups_ros.camera_info import camera_infos
from cups_ros.drive_source import BagError, Channel, DriveMessage
from cups_ros.kept_image import KeptImage
from cups_ros.stamps import time_message

FRAMES = {"left": "left_optical_frame", "right": "right_optical_frame"}


class ImageFolderDrive:
    """Pictures with equal names in a left and a right folder, rectified where they are not.

    Attributes:
        rig: the calibration of the rectified pictures.
        description: what is played, for people.
    """

    is_compressed = False

    def __init__(self, path: Path, rate_hz: float) -> None:
        """Look into the folder.

        Args:
            path: holds the folders and the calibration.
            rate_hz: frames per second, where the file names are not stamps.

        Raises:
            BagError: folders, pictures or calibration are missing.
        """
        try:
            folders = find_image_folders(path, rate_hz)
            if len(folders) > 1:
                raise BagError(
                    f"{path}: expected one drive, found {len(folders)}, such as "
                    f"{', '.join(folder.name for folder in folders[:5])}: choose one of them"
                )
            if alone := folders[0].unpaired:
                raise BagError(
                    f"{path}: expected the same picture names on both sides, found "
                    f"{len(alone)} without partner: {', '.join(map(str, alone[:5]))}"
                )
            self._files = folders[0].pairs()
            self._rectification = StereoRectification(*folders[0].cameras, *folders[0].camera_names)
        except CupsError as error:
            raise BagError(str(error)) from error
        self.rig = self._rectification.rig
        self.description = (
            f"{path.name}: {len(self._files)} stereo pictures of {self.rig.width}x{self.rig.height}"
        )

    def messages(self) -> Iterator[DriveMessage]:
        """All messages, frame by frame.

        Raises:
            BagError: a picture cannot be decoded.
        """
        infos = camera_infos(self.rig)
        kept = KeptImage("rgb8")
        for files in self._files:
            try:
                pictures = self._rectification.apply(
                    read_picture(files.left), read_picture(files.right)
                )
            except CupsError as error:
                raise BagError(str(error)) from error
            frame = []
            for side, info, picture, info_channel, image_channel in zip(
                FRAMES.values(),
                infos,
                pictures,
                (Channel.LEFT_INFO, Channel.RIGHT_INFO),
                (Channel.LEFT_IMAGE, Channel.RIGHT_IMAGE),
                strict=True,
            ):
                header = Header(stamp=time_message(files.stamp_ns), frame_id=side)
                info.header = header
                frame.append(DriveMessage(info_channel, files.stamp_ns, serialize_message(info)))
                image = serialize_message(kept.filled(header, as_rgb(picture)))
                frame.append(DriveMessage(image_channel, files.stamp_ns, image))
            # All of a frame is read before any of it is due.
            yield from frame
