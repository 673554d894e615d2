"""Rigid-motion clustering of scene flow (SF2SE3, Sommer et al., IROS 2022) and its ensemble.

`ensemble.RigidMotionClustering` is the segmenter; clip segmentation and the benchmark call it.
"""
