"""Files of weights: what they are, whether they fit, and under which licence they come."""
