"""Trained networks as models that a vehicle runs without PyTorch."""
