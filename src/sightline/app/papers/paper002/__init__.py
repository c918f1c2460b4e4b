"""Paper 002: relative camera pose estimation using convolutional neural networks."""
