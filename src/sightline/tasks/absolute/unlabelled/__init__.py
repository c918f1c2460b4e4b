"""MapNet+: learning beside the training frames from a walk whose poses nobody knows.

Brahmbhatt et al. 2018, "Geometry-Aware Learning of Maps for Camera Localization", Sec. 3.2: the
network's relative poses between frames of that walk are held against those of visual odometry.
"""
