"""A small one-stage panoptic network for processors and small boards."""
