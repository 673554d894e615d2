"""The perception library of CUPS for ROS 2: arrays in, arrays out.

It knows neither ROS nor dataset files nor training loops; `cups_ros` and `cups_training` build on
it.
"""
