"""The ROS 2 nodes of CUPS: parameters, subscriptions and publishing around `cups_core`.

Nothing here holds a formula; the nodes run as plain executables and from the launch files.
"""
