"""`cups doctor`: what is installed, whether it fits together, and what to do where it does not."""
