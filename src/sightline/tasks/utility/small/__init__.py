"""Small classifiers and detectors, trained here, so that labels mean something offline."""

from sightline.tasks.utility.small.bundled import bundled_names

__all__ = ["bundled_names"]
