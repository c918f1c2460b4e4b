"""A Deep Learning Approach to Camera Pose Estimation: its section V on a place of one's own."""
