"""A dataset in everybody's formats: pictures, calibration and labels as other tools expect them."""
