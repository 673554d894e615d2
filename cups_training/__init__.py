"""The offline tools of CUPS for ROS 2: synthetic drives, the demo, reports and the `cups` command.

They build on `cups_core` and need no ROS installation; the demo starts vehicle nodes as processes.
"""
