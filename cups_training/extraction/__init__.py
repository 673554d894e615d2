"""Recorded drives become drives of a dataset: `cups extract`, and the writer of `cups import`."""
