"""Gives processes that a test starts the stand-in of the CUDA driver; Python imports it first."""

import cuda_stand_in

cuda_stand_in.install()
