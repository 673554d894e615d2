"""Runs exported networks on a vehicle without PyTorch: an RGB image in, a panoptic map out."""
