"""Paper 003: the report on Depth Anything, and its study of depth for classification."""
