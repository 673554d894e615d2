"""Offline tools of CUPS for ROS 2: drives in, datasets, models and evaluations out.

They build on `cups_core`, need no ROS installation, and are called from the command line.
"""
