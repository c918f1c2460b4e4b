"""From what the user gave to ``world_from_map``: one function for each way to align."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.errors import InputError
from sightline.geometry import Similarity
from sightline.geometry.rotation import Array
from sightline.reconstruction.align.control import (
    ControlPoint,
    MeasuredDistance,
    fit_planar_control,
    fit_spatial_control,
    map_distance,
    metres_per_map_unit,
)
from sightline.reconstruction.align.drawn_path import fit_drawn_path
from sightline.reconstruction.align.gravity import Level
from sightline.reconstruction.align.map_geometry import MapGeometry
from sightline.reconstruction.align.plan_frame import PlanFrame, plan_of_pairs, world_targets
from sightline.reconstruction.align.planar import PlanarSimilarity

DEFAULT_CAMERA_HEIGHT_M = 1.5
_PLAUSIBLE_EYE_M = (0.3, 3.0)
_MISFIT = 0.05  # residuals above this share of the control points' extent are no measuring error


@dataclass(frozen=True)
class Residual:
    """How far one control point, drawn vertex or measured distance is from what it should be.

    Attributes:
        label: Which one.
        error: In the world's unit.
        used: False for an outlier, which was left out of the fit.
    """

    label: str
    error: float
    used: bool = True


@dataclass(frozen=True, eq=False)
class ScaleCues:
    """What tells metres, beside control points.

    Attributes:
        px_per_m: The plan's scale, or None.
        distances: Measured distances.
        camera_height_m: How high the camera was held over the floor, or None.
    """

    px_per_m: float | None = None
    distances: tuple[MeasuredDistance, ...] = ()
    camera_height_m: float | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """An alignment that was found, nothing written yet.

    Attributes:
        method: ``gravity``, ``distance``, ``control`` or ``path``.
        world_from_map: Upright; floor near z = 0 where it is known.
        unit: ``m`` or ``arbitrary``.
        up_from: What told up: ``cameras``, ``camera path``, ``vertical lines`` or
            ``control points``.
        residuals: Of everything the user gave.
        px_from_world: (2, 3) where the method places the world on the plan.
        notes: What the user should know, one line each.
    """

    method: str
    world_from_map: Similarity
    unit: str
    up_from: str
    residuals: tuple[Residual, ...] = ()
    px_from_world: Array | None = None
    notes: tuple[str, ...] = ()


def solve_gravity(geometry: MapGeometry, level: Level) -> Solution:
    """Return the upright world in the map's own unit, its origin under the path's middle."""
    return _upright(geometry, level, "gravity", scale=1.0, unit="arbitrary", cues=ScaleCues())


def solve_distance(geometry: MapGeometry, level: Level, cues: ScaleCues) -> Solution:
    """Return the upright world in metres, by one or more measured distances."""
    scale = metres_per_map_unit(geometry, cues.distances)
    residuals = _distance_residuals(geometry, cues.distances, scale)
    return _upright(
        geometry, level, "distance", scale=scale, unit="m", cues=cues, residuals=residuals
    )


def solve_control(
    geometry: MapGeometry,
    level: Level,
    points: Sequence[ControlPoint],
    plan: PlanFrame | None,
    cues: ScaleCues,
) -> Solution:
    """Return the alignment that control points settle.

    Points known in x, y and z settle everything. Others settle the floor plane; gravity settles the
    tilt, and the floor (or the camera's height) the z.

    Raises:
        InputError: Plan pixels without a plan, or metres and pixels that nothing relates.
        GeometryError: The points do not determine the alignment.
    """
    world = [p.world_xyz for p in points if p.world_xyz is not None]
    if len(world) == len(points) and np.isfinite(world).all():
        return _solve_spatial(geometry, points, np.array(world), plan, cues)
    if world:
        px_from_world = plan.px_from_world if plan else None
        if px_from_world is None:
            px_from_world = plan_of_pairs(points, plan)
        targets = world_targets(points, px_from_world)
        plan = PlanFrame(plan.height_px, px_from_world) if plan else None
    elif plan is None:
        raise InputError(
            "the floor plan is wanted beside control points in its pixels; add `--plan PICTURE`"
        )
    else:
        targets = plan.to_plane(np.array([p.plan_px for p in points]))
    map_xyz = np.array([p.map_xyz for p in points])
    level_xyz = level.level_from_map.apply(map_xyz)
    fit = fit_planar_control(level_xyz[:, :2], targets)
    placed = _place_on_plan(geometry, fit.plane_from_level, plan, cues, metric=bool(world))
    heights = np.array([np.nan if p.world_xyz is None else p.world_xyz[2] for p in points])
    floor, note = _floor(level, geometry, placed.world_from_level.scale, placed.unit, cues)
    known = np.isfinite(heights) & fit.inliers
    if known.any():
        above = heights[known] / placed.world_from_level.scale
        floor, note = float(np.median(level_xyz[known, 2] - above)), "z is from the control points"
    residuals = _labelled(points, fit.residuals / placed.plane_per_world, fit.inliers)
    extent = _extent(targets) / placed.plane_per_world
    return Solution(
        "control",
        placed.world_from_level.lift(level.level_from_map, floor),
        placed.unit,
        level.cue,
        residuals + placed.residuals,
        placed.px_from_world,
        (*placed.notes, note, *_control_notes(residuals, extent, placed.unit)),
    )


def solve_path(
    geometry: MapGeometry, level: Level, drawn_px: Array, plan: PlanFrame, cues: ScaleCues
) -> Solution:
    """Return the alignment that lays the camera path on a path drawn on the plan.

    Args:
        geometry: The map.
        level: Its upright frame.
        drawn_px: (K, 2) plan pixels, from the walk's start to its end.
        plan: The plan.
        cues: What tells metres.
    """
    level_xy = level.level_from_map.apply(geometry.centres)[:, :2]
    fit = fit_drawn_path(level_xy, plan.to_plane(drawn_px))
    placed = _place_on_plan(geometry, fit.plane_from_level, plan, cues, metric=False)
    floor, note = _floor(level, geometry, placed.world_from_level.scale, placed.unit, cues)
    unit = placed.plane_per_world
    away = np.sort(fit.residuals / unit)
    notes = [
        f"cameras lie {np.median(away):.2f} {_unit_text(placed.unit)} (median; largest "
        f"{away[-1]:.2f}) from the drawn path"
    ]
    if fit.reversed:
        notes.append("the path was drawn from the walk's end to its start: taken backwards")
    if fit.start_shift:
        notes.append(f"the walk starts {fit.start_shift:.0%} along the drawn loop")
    if fit.ambiguous:
        notes.append(
            "the drawn path looks much the same from another end or side, and was taken as the "
            "notes say; check the plan, and use `--control` if it is turned"
        )
    residuals = tuple(
        Residual(f"path vertex {i + 1}", float(error))
        for i, error in enumerate(fit.vertex_residuals / unit)
    )
    return Solution(
        "path",
        placed.world_from_level.lift(level.level_from_map, floor),
        placed.unit,
        level.cue,
        residuals + placed.residuals,
        placed.px_from_world,
        (*placed.notes, note, *notes),
    )


@dataclass(frozen=True, eq=False)
class _Placed:
    world_from_level: PlanarSimilarity
    px_from_world: Array | None
    plane_per_world: float
    unit: str
    notes: tuple[str, ...]
    residuals: tuple[Residual, ...]


def _place_on_plan(
    geometry: MapGeometry,
    plane_from_level: PlanarSimilarity,
    plan: PlanFrame | None,
    cues: ScaleCues,
    *,
    metric: bool,
) -> _Placed:
    if metric or (plan is not None and plan.px_from_world is not None):
        px_from_world = plan.px_from_world if plan else None
        residuals = _distance_residuals(geometry, cues.distances, plane_from_level.scale)
        return _Placed(plane_from_level, px_from_world, 1.0, "m", (), residuals)
    if plan is None:
        raise InputError("a floor plan is wanted to place the world on, none came; add `--plan`")
    unit = "m"
    notes: tuple[str, ...] = ()
    if cues.px_per_m is not None:
        px_per_unit = cues.px_per_m
    elif cues.distances:
        px_per_unit = plane_from_level.scale / metres_per_map_unit(geometry, cues.distances)
        notes = (f"the plan has {px_per_unit:.2f} pixels a metre by the measured distance",)
    else:
        px_per_unit, unit = plane_from_level.scale, "arbitrary"
        notes = (
            "nothing tells metres, so lengths stay in the map's own unit: give `--plan-scale "
            "PX_PER_M` or `--distance A B METRES`",
        )
    world_from_level = plane_from_level.divided(px_per_unit)
    px_from_world = plan.px_from_plane * np.array([px_per_unit, px_per_unit, 1.0])
    residuals = _distance_residuals(geometry, cues.distances, world_from_level.scale)
    return _Placed(world_from_level, px_from_world, px_per_unit, unit, notes, residuals)


def _solve_spatial(
    geometry: MapGeometry,
    points: Sequence[ControlPoint],
    world_xyz: Array,
    plan: PlanFrame | None,
    cues: ScaleCues,
) -> Solution:
    fit = fit_spatial_control(np.array([p.map_xyz for p in points]), world_xyz)
    px_from_world = plan.px_from_world if plan else None
    if px_from_world is None and sum(p.plan_px is not None for p in points) >= 2:
        px_from_world = plan_of_pairs(points, plan)
    residuals = _labelled(points, fit.residuals, fit.inliers)
    checks = _distance_residuals(geometry, cues.distances, fit.world_from_map.scale)
    return Solution(
        "control",
        fit.world_from_map,
        "m",
        "control points",
        residuals + checks,
        px_from_world,
        tuple(_control_notes(residuals, _extent(world_xyz), "m")),
    )


def _upright(
    geometry: MapGeometry,
    level: Level,
    method: str,
    *,
    scale: float,
    unit: str,
    cues: ScaleCues,
    residuals: tuple[Residual, ...] = (),
) -> Solution:
    middle = level.level_from_map.apply(geometry.centres)[:, :2].mean(axis=0)
    floor, note = _floor(level, geometry, scale, unit, cues)
    planar = PlanarSimilarity(scale, 0.0, -scale * middle)
    notes = [note]
    if unit != "m":
        notes.append("lengths are in the map's own unit; a measured distance makes them metres")
    return Solution(
        method,
        planar.lift(level.level_from_map, floor),
        unit,
        level.cue,
        residuals,
        notes=tuple(notes),
    )


def _floor(
    level: Level, geometry: MapGeometry, scale: float, unit: str, cues: ScaleCues
) -> tuple[float, str]:
    eye = float(np.median(level.level_from_map.apply(geometry.centres)[:, 2]))
    if unit == "m" and cues.camera_height_m is not None:
        height = cues.camera_height_m
        return eye - height / scale, f"the floor is {height:g} m under the cameras, as given"
    if level.floor is not None:
        height = (eye - level.floor) * scale
        low, high = _PLAUSIBLE_EYE_M
        if unit != "m" or low <= height <= high:
            return level.floor, f"the floor is {height:.2f} {_unit_text(unit)} under the cameras"
    if unit == "m":
        height = DEFAULT_CAMERA_HEIGHT_M
        return eye - height / scale, (
            f"the points show no floor: taken as {height:g} m under the cameras "
            "(`--camera-height-m` says better)"
        )
    return eye, "the points show no floor: z = 0 is the cameras' height"


def _distance_residuals(
    geometry: MapGeometry, distances: Sequence[MeasuredDistance], scale: float
) -> tuple[Residual, ...]:
    return tuple(
        Residual(f"distance {d.a} to {d.b}", abs(scale * map_distance(geometry, d) - d.metres))
        for d in distances
    )


def _labelled(
    points: Sequence[ControlPoint], errors: Array, inliers: np.ndarray
) -> tuple[Residual, ...]:
    return tuple(
        Residual(p.label, float(e), bool(used))
        for p, e, used in zip(points, errors, inliers, strict=True)
    )


def _control_notes(residuals: Sequence[Residual], extent: float, unit: str) -> list[str]:
    notes = [
        f"{r.label} is {r.error:.2f} {_unit_text(unit)} off and was left out; check it"
        for r in residuals
        if not r.used
    ]
    rms = float(np.sqrt(np.mean([r.error**2 for r in residuals if r.used])))
    if rms > _MISFIT * extent:
        notes.append(
            f"the control points do not fit each other ({rms:.2f} {_unit_text(unit)} off): check "
            "which is which, and that the plan is not mirrored or stretched"
        )
    return notes


def _extent(points: Array) -> float:
    return float(np.linalg.norm(np.ptp(points, axis=0)))


def _unit_text(unit: str) -> str:
    return "m" if unit == "m" else "map units"
