"""The on-disk contract: places, posed frames, floor plans, and the files others read and write."""

from sightline.records.frames import PosedFrame, read_poses_csv, stack_poses, write_poses_csv
from sightline.records.pairs import ImagePair, PairSet, read_pair_set, write_pair_set
from sightline.records.place import Place
from sightline.records.plan import FloorPlan

__all__ = [
    "FloorPlan",
    "ImagePair",
    "PairSet",
    "Place",
    "PosedFrame",
    "read_pair_set",
    "read_poses_csv",
    "stack_poses",
    "write_pair_set",
    "write_poses_csv",
]
