"""Align: a place's map becomes metres, z up, on its floor plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from sightline.app.alignment_files import write_alignment
from sightline.app.plan_input import PlanInput, read_drawn_path, read_plan_input
from sightline.errors import InputError, PlaceError
from sightline.geometry import Pose, Similarity
from sightline.geometry.rotation import Array
from sightline.reconstruction.align.control import ControlPoint, MeasuredDistance, read_control
from sightline.reconstruction.align.gravity import Level, estimate_up, level_map
from sightline.reconstruction.align.map_geometry import MapGeometry
from sightline.reconstruction.align.plan_frame import PlanFrame
from sightline.reconstruction.align.solution import (
    Residual,
    ScaleCues,
    Solution,
    solve_control,
    solve_distance,
    solve_gravity,
    solve_path,
)
from sightline.records import Place, stack_poses
from sightline.records.colmap import MapModel, read_model

Progress = Callable[[str, float], None]

_MAX_LINE_FRAMES = 40  # frames that vertical lines are looked for in; more change up by < 0.1 deg


@dataclass(frozen=True)
class AlignConfig:
    """How a place is aligned; with nothing given, by gravity alone."""

    control: Path | None = None
    """Control points: a CSV of frame or point_id against x,y,z in metres or plan_x,plan_y."""
    distance: tuple[str, str, float] | None = None
    """One measured distance: two frames (or p:ID for map points) and the metres between them."""
    path: Path | None = None
    """The walk drawn on the plan: a CSV of plan_x,plan_y from its start to its end."""
    plan: Path | None = None
    """Floor plan picture; a plan.toml beside it that names it tells where metres lie on it."""
    walkable: Path | None = None
    """Mask of the plan, white where one can walk."""
    plan_scale: float | None = None
    """Pixels of the plan a metre."""
    camera_height_m: float | None = None
    """How high the camera was held over the floor, in metres (default: from the points, or 1.5)."""

    def to_toml(self) -> dict[str, Any]:
        """Return what was given, files by their full paths."""
        given = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: str(value.resolve()) if isinstance(value, Path) else value
            for name, value in given.items()
            if value is not None
        }


@dataclass(frozen=True, eq=False)
class AlignReport:
    """What an alignment found and stored.

    Attributes:
        method: ``gravity``, ``distance``, ``control`` or ``path``.
        world_from_map: The alignment.
        unit: ``m`` or ``arbitrary``.
        up_from: What told up: ``cameras``, ``camera path``, ``vertical lines``, or, with points
            in all three coordinates, ``control points``.
        residuals: Of every control point, drawn vertex and distance, in ``unit``.
        walkable_share: Share of the cameras on walkable floor, None without a mask.
        notes: What the user should know.
    """

    method: str
    world_from_map: Similarity
    unit: str
    up_from: str
    residuals: tuple[Residual, ...]
    walkable_share: float | None
    notes: tuple[str, ...]

    @property
    def rms(self) -> float | None:
        """Root mean square of the used residuals, None where there are none."""
        used = [r.error for r in self.residuals if r.used]
        return float(np.sqrt(np.mean(np.square(used)))) if used else None

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        unit = "m" if self.unit == "m" else "map units"
        text = [f"aligned by {self.method}; unit: {self.unit}; up from {self.up_from}"]
        text += [
            f"  {r.label}: {r.error:.3f} {unit}{'' if r.used else ' (left out)'}"
            for r in self.residuals
        ]
        if self.rms is not None:
            text.append(f"residuals: {self.rms:.3f} {unit} (root mean square)")
        if self.walkable_share is not None:
            text.append(f"{self.walkable_share:.1%} of the cameras stand on walkable floor")
        return text + list(self.notes)


def align(
    place: Place, config: AlignConfig | None = None, progress: Progress | None = None
) -> AlignReport:
    """Align a place and rewrite its poses, points and plan; all of it or nothing.

    Always from the reconstruction's own frame, so aligning again replaces, never compounds.

    Args:
        place: A place with poses.
        config: What the user gave.
        progress: Called with the stage and the done share.

    Raises:
        InputError: What was given does not fit together.
        GeometryError: It does not determine the alignment.
        PlaceError: The place has no registered frame yet.
    """
    config = config or AlignConfig()
    progress = progress or (lambda stage, done: None)
    _check(config)
    geometry, model = load_map(place)
    plan = _plan_input(place, config)
    if config.plan and not (config.control or config.path or config.distance):
        return attach_plan(place, config.plan, config.walkable)
    # Read everything before the slow part: a wrong file should not cost a wait.
    control = read_control(config.control, geometry) if config.control else None
    drawn = read_drawn_path(config.path) if config.path else None
    progress("finding up", 0.1)
    level = _level(place, geometry, model)
    progress("fitting", 0.6)
    solution = _solve(config, geometry, level, plan, control=control, drawn=drawn)
    progress("writing", 0.9)
    report = _store(
        place,
        geometry,
        model,
        solution,
        plan,
        attach=config.plan is not None,
        given=config.to_toml(),
    )
    progress("aligned", 1.0)
    return report


def align_by_gravity(place: Place, progress: Progress | None = None) -> AlignReport:
    """Align a place by gravity alone: the default after a build."""
    return align(place, AlignConfig(), progress)


def attach_plan(
    place: Place,
    plan: Path,
    walkable: Path | None = None,
    px_from_world: Array | None = None,
) -> AlignReport:
    """Attach a floor plan to a place that is in metres already; poses stay as they are.

    Args:
        place: The place.
        plan: The picture.
        walkable: Its mask.
        px_from_world: (2, 3); without it, the ``plan.toml`` beside the picture says it.

    Raises:
        InputError: Nothing relates the plan to the place's world.
    """
    picture = read_plan_input(plan, walkable)
    affine = picture.px_from_world if px_from_world is None else np.asarray(px_from_world, float)
    if affine is None or (px_from_world is None and place.unit != "m"):
        missing = (
            f"no plan.toml beside {plan} names it"
            if affine is None
            else ("the place is not in metres")
        )
        raise InputError(
            f"where the world lies on the plan is wanted, and {missing}; give `--control` points "
            "or a drawn `--path` with the plan"
        )
    geometry, model = load_map(place)
    table = place.content.get("alignment", {})
    solution = Solution(
        method=str(table.get("method", "gravity")),
        world_from_map=place.world_from_map,
        unit=place.unit,
        up_from=str(table.get("up_from", "cameras")),
        residuals=tuple(Residual(**r) for r in table.get("residuals", [])),
        px_from_world=affine,
        notes=("the floor plan is attached; poses stay as they were",),
    )
    return _store(
        place,
        geometry,
        model,
        solution,
        picture,
        attach=True,
        given=table.get("given"),
        keep_poses=True,
    )


def load_map(place: Place) -> tuple[MapGeometry, MapModel | None]:
    """Return a place's map in its own frame; without a COLMAP model, its poses un-aligned.

    Raises:
        PlaceError: No frame of the place is registered.
    """
    frames = place.frames()
    model = read_model(place.model_dir) if place.model_dir.is_dir() else None
    if model is None:
        posed = [f for f in frames if f.world_from_cam is not None]
        names = tuple(f.image for f in posed)
    else:
        names = tuple(f.image for f in frames if f.image in model.frames)
    if not names:
        raise PlaceError(
            f"{place.root} has no registered frame to align; finish `sightline build` (it resumes)"
        )
    if model is None:
        return MapGeometry(
            names, place.world_from_map.inverse().apply_pose(stack_poses(posed))
        ), None
    poses = Pose.stack([model.frames[name].world_from_cam for name in names])
    return MapGeometry(names, poses, model.point_ids, model.points), model


def _check(config: AlignConfig) -> None:
    if config.control and config.path:
        raise InputError("one of --control and --path is wanted, both came; leave one out")
    for flag, value in (
        ("--plan-scale", config.plan_scale),
        ("--camera-height-m", config.camera_height_m),
    ):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise InputError(f"{flag}: a number above 0 is wanted, {value:g} came")
    if config.walkable and not config.plan:
        raise InputError("a plan is wanted beside --walkable; add `--plan PICTURE`")


def _plan_input(place: Place, config: AlignConfig) -> PlanInput | None:
    if config.plan is None:
        own = place.plan
        if own is None:
            return None
        # The place's own plan serves again; its scale counts only where it was in metres.
        plan = read_plan_input(own.image, own.walkable)
        return plan if place.unit == "m" else replace(plan, px_from_world=None)
    plan = read_plan_input(config.plan, config.walkable)
    if plan.px_from_world is not None and config.plan_scale is not None:
        known = float(np.sqrt(abs(np.linalg.det(plan.px_from_world[:, :2]))))
        if abs(known / config.plan_scale - 1) > 0.01:
            raise InputError(
                f"one scale of the plan is wanted; --plan-scale says {config.plan_scale:g} pixels "
                f"a metre, the plan.toml beside it {known:g}; leave the flag out"
            )
    return plan


def _level(place: Place, geometry: MapGeometry, model: MapModel | None) -> Level:
    normals = None
    if model is not None and place.images_dir.is_dir():
        from sightline.reconstruction.align.lines import line_plane_normals

        count = min(_MAX_LINE_FRAMES, len(geometry.images))
        chosen = np.unique(np.linspace(0, len(geometry.images) - 1, count).round().astype(int))
        names = [geometry.images[i] for i in chosen]
        normals = line_plane_normals(
            [place.images_dir / name for name in names],
            [model.cameras[model.frames[name].camera_id] for name in names],
            geometry.map_from_cam[chosen],
        )
    up = estimate_up(geometry.map_from_cam, normals)
    return level_map(up, geometry.centres, geometry.points)


def _solve(
    config: AlignConfig,
    geometry: MapGeometry,
    level: Level,
    plan: PlanInput | None,
    *,
    control: list[ControlPoint] | None,
    drawn: Array | None,
) -> Solution:
    distances = (MeasuredDistance(*config.distance),) if config.distance else ()
    cues = ScaleCues(config.plan_scale, distances, config.camera_height_m)
    frame = PlanFrame(plan.height, plan.px_from_world) if plan else None
    if control is not None:
        solution = solve_control(geometry, level, control, frame, cues)
    elif drawn is not None:
        if frame is None:
            raise InputError("the plan the path is drawn on is wanted; add `--plan PICTURE`")
        solution = solve_path(geometry, level, drawn, frame, cues)
    elif config.distance:
        solution = solve_distance(geometry, level, cues)
    else:
        solution = solve_gravity(geometry, level)
    if config.plan and solution.px_from_world is None:
        raise InputError(
            f"where the world lies on {config.plan} is wanted, and a {solution.method} alignment "
            "does not say; add plan_x,plan_y to `--control` rows, or a drawn `--path`"
        )
    return solution


def _store(
    place: Place,
    geometry: MapGeometry,
    model: MapModel | None,
    solution: Solution,
    plan: PlanInput | None,
    *,
    attach: bool,
    given: dict[str, Any] | None,
    keep_poses: bool = False,
) -> AlignReport:
    share = None
    if plan is not None and solution.px_from_world is not None:
        share = plan.walkable_share(_plan_px(solution, geometry))
    report = AlignReport(
        solution.method,
        solution.world_from_map,
        solution.unit,
        solution.up_from,
        solution.residuals,
        share,
        solution.notes,
    )
    notes = write_alignment(
        place,
        geometry,
        model,
        solution,
        new_plan=plan if attach else None,
        keep_poses=keep_poses,
        details={
            "up_from": report.up_from,
            "residual_rms": report.rms,
            "walkable_share": share,
            "residuals": [asdict(r) for r in report.residuals],
            **({} if given is None else {"given": given}),
        },
    )
    return replace(report, notes=(*report.notes, *notes))


def _plan_px(solution: Solution, geometry: MapGeometry) -> Array:
    world = solution.world_from_map.apply(geometry.centres)
    affine = solution.px_from_world
    if affine is None:
        return np.zeros((0, 2))
    px: Array = world[:, :2] @ affine[:, :2].T + affine[:, 2]
    return px
