"""Which frames of a running drive are worth keeping, within a budget.

`policy.HarvestPolicy` decides; the vehicle's harvest node and `benchmark/harvest.py` ask it.
"""
