"""Which pairs of frames are worth learning from, and why the others are not."""
