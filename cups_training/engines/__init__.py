"""TensorRT engines: built ahead of the drive, and looked into."""
