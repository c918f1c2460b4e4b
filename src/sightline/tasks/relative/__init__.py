"""Relative pose: two images in, rotation and translation out (papers 002 and 000)."""
