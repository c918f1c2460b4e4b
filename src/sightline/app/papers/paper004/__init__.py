"""Paper 004: the utility of images for machines."""
