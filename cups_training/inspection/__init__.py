"""What a recording holds and whether a dataset can be made of it: `cups inspect`."""
