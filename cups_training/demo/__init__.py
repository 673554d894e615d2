"""`cups demo`: a drive played in real time through the vehicle node, and a report on it."""
