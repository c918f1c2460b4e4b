"""Calibrate: a place's own answers, beside the truth, teach how far to trust the next ones.

Frames of the map are asked in the map without them and their neighbours, as they are and degraded;
better is another walk whose true poses are known. Only such a walk shows where the map is bent: its
own frames are bent with it.
"""
