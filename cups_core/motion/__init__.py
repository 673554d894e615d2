"""From a stereo stream to moving objects: flow, disparity, ego-motion, segmentation and tracks."""
