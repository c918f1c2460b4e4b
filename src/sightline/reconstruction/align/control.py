"""Control points: ``control.csv``, and the alignment they settle."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError, InputError
from sightline.geometry import Similarity, fit_similarity
from sightline.geometry.rotation import Array
from sightline.reconstruction.align.map_geometry import MapGeometry
from sightline.reconstruction.align.planar import PlanarSimilarity, fit_planar, trusted_points

CONTROL_COLUMNS = ("frame", "point_id", "x", "y", "z", "plan_x", "plan_y")
MIN_CONTROL_POINTS = 3
#: From this many points on, points that disagree with the rest are left out and named.
MIN_ROBUST_POINTS = 5


@dataclass(frozen=True, eq=False)
class ControlPoint:
    """One row of ``control.csv``: something in the map, and where it truly is.

    Attributes:
        label: How messages name it (the row, and the frame or point).
        map_xyz: (3,) position in the map.
        world_xyz: (3,) metres, z NaN where unknown; None where only the plan's pixel is known.
        plan_px: (2,) plan pixel, or None.
    """

    label: str
    map_xyz: Array
    world_xyz: Array | None
    plan_px: Array | None


def read_control(path: Path, geometry: MapGeometry) -> list[ControlPoint]:
    """Return the control points of a ``control.csv``.

    Each row names a ``frame`` (its camera's centre) or a ``point_id``, and gives world metres
    ``x,y`` (``z`` may be empty) or the plan pixel ``plan_x,plan_y`` or both. Columns that are
    empty throughout may be left out.

    Raises:
        InputError: The file is missing, has unknown columns, fewer than three rows, or a row that
            names nothing in the map or gives no target (the row is named).
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            columns = [(c or "").strip() for c in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = [(reader.line_num, row) for row in reader]
    except FileNotFoundError as error:
        raise InputError(f"{path} is wanted; there is no such file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV file: {error}") from error
    unknown = [c for c in columns if c not in CONTROL_COLUMNS]
    if unknown or not columns:
        raise InputError(
            f"{path}: columns of {','.join(CONTROL_COLUMNS)} are wanted, "
            f"{','.join(columns) or 'an empty file'} came"
        )
    points = [_parse_row(f"{path}, line {line}", line, row, geometry) for line, row in rows]
    if len(points) < MIN_CONTROL_POINTS:
        raise InputError(
            f"{MIN_CONTROL_POINTS} or more control points are wanted, {len(points)} came; "
            f"add rows to {path}, or give one measured distance with `--distance A B METRES`"
        )
    return points


def _parse_row(
    where: str, line: int, row: dict[str, str | None], geometry: MapGeometry
) -> ControlPoint:
    if None in row or any(value is None for value in row.values()):
        raise InputError(f"{where}: as many values as the header has columns are wanted")
    text = {key: (value or "").strip() for key, value in row.items()}
    frame, point_id = text.get("frame", ""), text.get("point_id", "")
    if bool(frame) == bool(point_id):
        came = "both" if frame else "neither"
        raise InputError(f"{where}: a frame or a point_id is wanted, {came} came")
    try:
        map_xyz = geometry.frame_centre(frame) if frame else geometry.locate(f"p:{point_id}")
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    x, y, z, u, v = (_number(where, key, text.get(key, "")) for key in CONTROL_COLUMNS[2:])
    if math.isnan(x) != math.isnan(y) or (math.isnan(x) and not math.isnan(z)):
        raise InputError(f"{where}: x and y are wanted together (z may be empty)")
    if math.isnan(u) != math.isnan(v):
        raise InputError(f"{where}: plan_x and plan_y are wanted together")
    if math.isnan(x) and math.isnan(u):
        raise InputError(f"{where}: world metres x,y or a plan pixel plan_x,plan_y are wanted")
    return ControlPoint(
        f"line {line} ({frame or f'point {point_id}'})",
        map_xyz,
        None if math.isnan(x) else np.array([x, y, z]),
        None if math.isnan(u) else np.array([u, v]),
    )


def _number(where: str, column: str, text: str) -> float:
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: a number is wanted in {column}, {text!r} came")
    return value


@dataclass(frozen=True, eq=False)
class SpatialControlFit:
    """An alignment settled by points known in all three coordinates."""

    world_from_map: Similarity
    residuals: Array
    inliers: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PlanarControlFit:
    """An alignment of the floor plane."""

    plane_from_level: PlanarSimilarity
    residuals: Array
    inliers: NDArray[np.bool_]


def fit_spatial_control(map_xyz: Array, world_xyz: Array) -> SpatialControlFit:
    """Return the similarity of points known in x, y and z (Umeyama; robust from five on).

    Args:
        map_xyz: (N, 3), N >= 3.
        world_xyz: (N, 3) metres.

    Raises:
        GeometryError: The points lie on one line, or nearly (the tilt about it is not settled).
    """
    for name, points in (("map", map_xyz), ("world", world_xyz)):
        spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if spread[1] < 0.02 * spread[0] or spread[0] <= 0:
            raise GeometryError(
                f"control points that do not lie on one line are wanted, the {len(points)} {name} "
                "points (nearly) do; add one away from it, or leave z empty: gravity then settles "
                "the tilt"
            )
    inliers = np.ones(len(map_xyz), dtype=bool)
    if len(map_xyz) >= MIN_ROBUST_POINTS:
        inliers = trusted_points(
            len(map_xyz),
            3,
            lambda chosen: fit_similarity(map_xyz[chosen], world_xyz[chosen]),
            lambda fit: np.linalg.norm(fit.apply(map_xyz) - world_xyz, axis=1),
            extent=_extent(world_xyz),
        )
    fit = fit_similarity(map_xyz[inliers], world_xyz[inliers])
    return SpatialControlFit(fit, np.linalg.norm(fit.apply(map_xyz) - world_xyz, axis=1), inliers)


def fit_planar_control(level_xy: Array, plane_xy: Array) -> PlanarControlFit:
    """Return the similarity of the floor plane (robust from five points on).

    Args:
        level_xy: (N, 2) in the upright map.
        plane_xy: (N, 2) targets.

    Raises:
        GeometryError: The points coincide or do not correspond.
    """
    inliers = np.ones(len(level_xy), dtype=bool)
    if len(level_xy) >= MIN_ROBUST_POINTS:
        inliers = trusted_points(
            len(level_xy),
            2,
            lambda chosen: fit_planar(level_xy[chosen], plane_xy[chosen]),
            lambda fit: np.linalg.norm(fit.apply(level_xy) - plane_xy, axis=1),
            extent=_extent(plane_xy),
        )
    fit = fit_planar(level_xy[inliers], plane_xy[inliers])
    return PlanarControlFit(fit, np.linalg.norm(fit.apply(level_xy) - plane_xy, axis=1), inliers)


@dataclass(frozen=True)
class MeasuredDistance:
    """A distance measured in the building.

    Attributes:
        a: A frame name, or ``p:ID`` for a map point.
        b: The same.
        metres: Positive.
    """

    a: str
    b: str
    metres: float


def metres_per_map_unit(geometry: MapGeometry, distances: Sequence[MeasuredDistance]) -> float:
    """Return the scale that measured distances give, in the least-squares sense.

    Raises:
        InputError: A name is not in the map, a distance is not positive, or its ends coincide.
    """
    lengths = []
    for measured in distances:
        length = map_distance(geometry, measured)
        if not (math.isfinite(measured.metres) and measured.metres > 0):
            raise InputError(f"--distance: metres above 0 are wanted, {measured.metres} came")
        if length <= 1e-9:
            raise InputError(
                f"--distance: two places apart are wanted, {measured.a} and {measured.b} are at "
                "one spot in the map"
            )
        lengths.append(length)
    metres = np.array([d.metres for d in distances])
    return float((metres @ lengths) / np.square(lengths).sum())


def map_distance(geometry: MapGeometry, measured: MeasuredDistance) -> float:
    """Return the distance between the two ends in the map's unit."""
    return float(np.linalg.norm(geometry.locate(measured.a) - geometry.locate(measured.b)))


def _extent(points: Array) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0)))
