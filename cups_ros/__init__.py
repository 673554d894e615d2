"""The ROS 2 nodes of CUPS: parameters, subscriptions and publishing, nothing with a formula.

`ros2 launch cups_ros perception.launch.py` starts them, or the commands `cups_pseudo_label` and
`cups_drive_player`.
"""
