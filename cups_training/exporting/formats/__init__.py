"""The formats, one file each: a file with a `Format` in it is known by its name from then on."""
