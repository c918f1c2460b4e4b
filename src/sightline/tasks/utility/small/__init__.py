"""Small classifiers and detectors, trained here, so that labels mean something offline."""
