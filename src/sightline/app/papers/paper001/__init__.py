"""Paper 001: convolutional networks for object category and 3D pose from 2D images."""
