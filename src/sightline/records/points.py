"""``points.csv``: the sparse points of a place, in the world of its ``poses.csv``."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from sightline.geometry import Similarity
from sightline.records.colmap import MapModel
from sightline.records.files import write_text

POINTS_COLUMNS = ("id", "x", "y", "z", "r", "g", "b", "error_px", "track_length")


def write_points_csv(path: Path, model: MapModel, world_from_map: Similarity) -> None:
    """Write a map's points in the world's frame, atomically.

    Args:
        path: The file.
        model: The map, in its own frame.
        world_from_map: The place's alignment.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(POINTS_COLUMNS)
    columns = zip(
        model.point_ids.tolist(),
        world_from_map.apply(model.points).tolist(),
        model.colors.tolist(),
        model.point_errors_px.tolist(),
        model.track_lengths.tolist(),
        strict=True,
    )
    for point_id, xyz, color, error, length in columns:
        writer.writerow([point_id, *(f"{v:.6f}" for v in xyz), *color, f"{error:.4f}", length])
    write_text(path, stream.getvalue())
