"""Panoptic Cascade Mask R-CNN: inference, losses and sampling, equal to detectron2's to rounding."""
