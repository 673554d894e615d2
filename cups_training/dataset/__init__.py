"""A dataset on disk: drives of stereo frames, their calibration, what was labelled of them."""
