"""Which frames of a running drive are worth keeping, within a budget; it knows neither ROS nor files.

`policy.HarvestPolicy` decides; the vehicle's harvest node and `benchmark/harvest.py` ask it.
"""
