"""Rigid-motion clustering of scene flow and its ensemble (SF2SE3, Sommer et al. 2022)."""
