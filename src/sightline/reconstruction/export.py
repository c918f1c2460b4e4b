"""A place's map and poses in the formats of others, in the aligned world of ``poses.csv``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from sightline.errors import InputError, PlaceError
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.colmap import export_model, read_model
from sightline.records.files import atomic_path, write_text
from sightline.records.paper_csv import paper_table, write_split_tables
from sightline.records.tum import write_tum

ExportFormat = Literal["colmap-text", "colmap-binary", "tum", "paper"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("colmap-text", "colmap-binary", "tum", "paper")


def export_place(place: Place, destination: Path, format: ExportFormat) -> None:  # noqa: A002
    """Write a place's map and poses in another format, whole or not at all.

    ``colmap-text`` and ``colmap-binary`` write a COLMAP model; ``tum`` one file of
    ``timestamp tx ty tz qx qy qz qw`` lines, camera-to-world (photos without a timestamp are
    numbered 0, 1, 2 ...). ``paper`` writes the files of paper 000's own repository
    (fedeizzo/camera-pose-estimation): ``positions.csv`` and the three split tables with columns
    ``x,y,z,qx,qy,qz,qw,tx,ty,tz,image``, where ``x,y,z`` is the camera's centre but ``q`` and
    ``t`` are COLMAP's cam_from_world (PITFALLS 2), and ``points3D.csv`` with ``x,y,z``.

    Args:
        place: Has a reconstruction.
        destination: A file for ``tum``, else a new or empty folder.
        format: One of :data:`EXPORT_FORMATS`.

    Raises:
        InputError: An unknown format, or a destination of the wrong kind.
        PlaceError: The place has no reconstruction.
    """
    if format not in EXPORT_FORMATS:
        raise InputError(f"a format of {', '.join(EXPORT_FORMATS)} is wanted, {format!r} came")
    if not place.model_dir.is_dir():
        raise PlaceError(f"{place.root} has no map to export yet; run `sightline build` first")
    frames = place.registered()
    if format == "tum":
        _check_kind(destination, wants_file=True)
        write_tum(destination, _timestamps(frames), stack_poses(frames))
        return
    _check_kind(destination, wants_file=False)
    if format == "paper":
        _write_paper(place, destination, frames)
    else:
        kind: Literal["text", "binary"] = "text" if format == "colmap-text" else "binary"
        export_model(place.model_dir, destination, kind, place.world_from_map)


def _write_paper(place: Place, destination: Path, frames: list[PosedFrame]) -> None:
    points = place.world_from_map.apply(read_model(place.model_dir).points)
    rows = [",".join(f"{value:.9f}" for value in xyz) for xyz in points.tolist()]
    with atomic_path(destination) as folder:
        folder.mkdir()
        write_text(folder / "positions.csv", paper_table(frames))
        write_text(folder / "points3D.csv", "\n".join(["x,y,z", *rows]) + "\n")
        write_split_tables(folder, frames)


def _timestamps(frames: list[PosedFrame]) -> list[float]:
    stamps = [frame.timestamp_s for frame in frames]
    known = [stamp for stamp in stamps if stamp is not None]
    return known if len(known) == len(stamps) else np.arange(float(len(frames))).tolist()


def _check_kind(destination: Path, *, wants_file: bool) -> None:
    if destination.exists() and destination.is_file() != wants_file:
        wanted, came = ("file", "folder") if wants_file else ("folder", "file")
        raise InputError(
            f"a {wanted} is wanted to export into, {destination} is a {came}; choose another name "
            "(nothing was changed)"
        )
    if not wants_file and destination.is_dir() and any(destination.iterdir()):
        raise InputError(
            f"a new or empty folder is wanted to export into, {destination} holds files; choose "
            "another (nothing was changed)"
        )
