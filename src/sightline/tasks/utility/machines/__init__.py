"""Classifiers and detectors as machines: pixels in, answers with confidences out."""
