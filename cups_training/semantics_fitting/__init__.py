"""Fits pseudo-classes to one's own drives: with features alone, or a head on a transformer."""
