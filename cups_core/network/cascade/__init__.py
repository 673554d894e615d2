"""Panoptic Cascade Mask R-CNN: inference and losses, equal to detectron2's to rounding."""
