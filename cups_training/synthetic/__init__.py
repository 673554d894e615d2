"""Synthetic stereo drives through a street, with exact truth for everything that moves.

`drive.SyntheticDrive` makes the frames; tests, benchmarks, the demo and `python -m
cups_training.synthetic` call it.
"""
