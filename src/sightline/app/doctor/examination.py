"""Everything that can be measured of a place as it stands; nothing in it is changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.alignment_files import map_digest
from sightline.app.build import BUILD_TOML, BuildConfig, build_config_of, gathered_config
from sightline.errors import PlaceError, SightlineError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.reconstruction.diagnosis.feature_store import count_features, read_descriptors_of
from sightline.reconstruction.diagnosis.loop_gap import Revisits, measure_revisits
from sightline.reconstruction.diagnosis.map_fit import MapFit, measure_fit
from sightline.reconstruction.diagnosis.pictures import PictureFacts, measure_pictures
from sightline.records import FloorPlan, Place, PosedFrame, stack_poses
from sightline.records.cameras import CAMERAS_CSV, place_cameras
from sightline.records.colmap import MapModel, read_model

Progress = Callable[[str, float], None]

#: What a damaged alignment is called.
ALIGNMENT = "place.toml [alignment]"
#: Stages of a build in their order, as ``place.toml`` names them, and what each makes.
BUILD_STAGES = ("frames", "features", "matches", "map", "loops", "poses", "split")


@dataclass(eq=False)
class Examination:
    """What was measured of a place.

    Attributes:
        place: The place.
        frames: Its frames, posed or not, in order.
        built_here: ``sightline build`` made it, or began to.
        missing_stages: Stages that a build has not finished.
        config: How it was built, as far as that is known.
        damage: What does not read: the file -> why.
        report: What ``doctor.json`` says; empty where there is none.
        models: Registered frames of each map, the chosen one first.
        model: The chosen map; None where there is none, or none with frames.
        cameras: Name -> camera, where the place names one; the map's own count before these.
        fit: How well it agrees with its frames.
        map_changed: The map is another than the one that the alignment belongs to.
        off_map: Name -> distance from where the aligned map has the frame.
        pictures: Name -> what the picture is like.
        unreadable: Name -> why the picture does not read.
        features: Name -> features found in it; empty where there is no database.
        revisits: Where the walk comes back; None where that was not measured.
        plan: The floor plan; None where there is none that reads.
    """

    place: Place
    frames: list[PosedFrame]
    built_here: bool
    missing_stages: tuple[str, ...]
    config: BuildConfig = field(default_factory=BuildConfig)
    damage: dict[str, str] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    models: list[int] = field(default_factory=list)
    model: MapModel | None = None
    cameras: dict[str, Camera] = field(default_factory=dict)
    fit: MapFit | None = None
    map_changed: bool = False
    off_map: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, PictureFacts] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    features: dict[str, int] = field(default_factory=dict)
    revisits: Revisits | None = None
    plan: FloorPlan | None = None

    @property
    def names(self) -> list[str]:
        """All frames, in order."""
        return [frame.image for frame in self.frames]

    @property
    def posed(self) -> list[PosedFrame]:
        """The frames that have a pose, in order."""
        return [frame for frame in self.frames if frame.world_from_cam is not None]

    @property
    def timed(self) -> list[PosedFrame]:
        """The posed frames in order; empty where some have no time.

        They are not sorted by time: a place of two recordings may hold each second twice.
        """
        posed = self.posed
        return [] if any(frame.timestamp_s is None for frame in posed) else posed

    def recordings(self) -> list[list[PosedFrame]]:
        """Return the timed frames by recording: another begins where time does not go on."""
        parts: list[list[PosedFrame]] = []
        for frame in self.timed:
            before = parts[-1][-1] if parts else None
            if before is None or _stamp(before) >= _stamp(frame) or self._added(before, frame):
                parts.append([])
            parts[-1].append(frame)
        return parts

    def _added(self, before: PosedFrame, frame: PosedFrame) -> bool:
        """Return whether a frame belongs to a recording added to the one before."""
        prefixes = [str(table.get("prefix")) for table in self.place.added]
        return any(
            frame.image.startswith(prefix) != before.image.startswith(prefix) for prefix in prefixes
        )

    @property
    def of_video(self) -> bool:
        """Whether the place was built of a video."""
        frames = self.place.content.get("frames")
        return isinstance(frames, dict) and (frames.get("kind") == "video" or "fps" in frames)

    @property
    def alignment(self) -> dict[str, Any]:
        """What the place says of its alignment; empty where there is none that reads."""
        return {} if self.scale is None else self.place.alignment

    @property
    def scale(self) -> float | None:
        """What a length of the map is in the world; None where the alignment does not read."""
        try:
            return self.place.world_from_map.scale
        except PlaceError:
            return None

    @property
    def unit(self) -> str:
        """What a length is counted in, for people."""
        return "m" if self.place.unit == "m" else "map units"

    def per_frame(self, values: dict[str, Any]) -> Array:
        """Return (N,) of some figure, one for each frame, NaN where there is none."""
        return np.array([values.get(name, np.nan) for name in self.names], dtype=np.float64)


def _stamp(frame: PosedFrame) -> float:
    return frame.timestamp_s or 0.0


def poses_of(frames: list[PosedFrame]) -> tuple[Pose, NDArray[np.float64]]:
    """Return the poses of timed frames, and their times in seconds."""
    return stack_poses(frames), np.array([_stamp(frame) for frame in frames])


def examine_place(place: Place, progress: Progress | None = None) -> Examination:
    """Return everything measured of a place, half-built or damaged ones too.

    Args:
        place: The place; nothing in it is changed.
        progress: Called with a stage text and a fraction.

    Raises:
        PlaceError: The place has no frames at all.
        InputError: ``poses.csv`` does not read.
    """
    tell = progress or (lambda text, done: None)
    stages = place.content.get("stages") or {}
    built = "frames" in place.content or "frames" in stages
    missing = tuple(s for s in BUILD_STAGES if s not in stages) if built else ()
    exam = Examination(place, _frames(place), built, missing)
    if not exam.frames:
        raise PlaceError(f"{place.root} has no frames yet; finish `sightline build` (it resumes)")
    tell("reading the map", 0.0)
    _read_config(exam)
    _read_report(exam)
    _read_plan(exam)
    _read_cameras(exam)
    _read_alignment(exam)
    _read_map(exam)
    tell("looking at pictures", 0.2)
    exam.pictures, exam.unreadable = measure_pictures(place.images_dir, exam.names)
    tell("looking for returns of the walk", 0.8)
    _measure_revisits(exam)
    tell("looking for returns of the walk", 1.0)
    return exam


def _frames(place: Place) -> list[PosedFrame]:
    """Return the frames of ``poses.csv``; of a build stopped before it, the pictures there are."""
    if place.poses_path.is_file():
        return place.frames()
    if not place.images_dir.is_dir():
        return []
    return [
        PosedFrame(p.name, None, None) for p in sorted(place.images_dir.iterdir()) if p.is_file()
    ]


def _read_config(exam: Examination) -> None:
    if not exam.built_here:
        return
    try:
        exam.config = build_config_of(exam.place)
    except SightlineError as error:
        exam.config = gathered_config(exam.place)
        exam.damage[BUILD_TOML] = str(error)


def _read_cameras(exam: Examination) -> None:
    try:
        exam.cameras = place_cameras(exam.place, exam.names)
    except PlaceError as error:
        exam.damage["place.toml"] = str(error)
    except SightlineError as error:
        exam.damage[CAMERAS_CSV] = str(error)


def _read_alignment(exam: Examination) -> None:
    try:
        _ = exam.place.world_from_map
    except SightlineError as error:
        exam.damage[ALIGNMENT] = str(error)


def _read_report(exam: Examination) -> None:
    path = exam.place.reconstruction_dir / "doctor.json"
    if not path.is_file():
        return
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("an object is wanted")
        exam.models = [int(n) for n in content.get("models", [])]
        exam.report = content
    except (ValueError, TypeError) as error:  # of JSON and of UTF-8 too
        exam.damage[_inside(exam, path)] = f"not a report of a build ({error})"


def _read_plan(exam: Examination) -> None:
    try:
        exam.plan = exam.place.plan
        if exam.plan is not None:
            exam.plan.walkable_mask()
    except SightlineError as error:
        exam.plan = None
        exam.damage[_inside(exam, exam.place.plan_path)] = str(error)


def _read_map(exam: Examination) -> None:
    place = exam.place
    if place.database_path.is_file():
        try:
            exam.features = count_features(place.database_path)
        except SightlineError as error:
            exam.damage[_inside(exam, place.database_path)] = str(error)
    if not place.model_dir.is_dir():
        return
    try:
        exam.model = read_model(place.model_dir)
        if not exam.model.frames:
            raise PlaceError("a map with frames is wanted, it has none")
        exam.fit = measure_fit(exam.model)
    except (SightlineError, IndexError, KeyError) as error:
        exam.model = exam.fit = None
        exam.damage[_inside(exam, place.model_dir)] = str(error)
        return
    if not exam.models:
        exam.models = [len(exam.model.frames)]
    _hold_against_map(exam, exam.model)


def _hold_against_map(exam: Examination, model: MapModel) -> None:
    """Note whether ``poses.csv`` and the alignment belong to the map that lies there."""
    if exam.scale is None:
        return
    known = exam.alignment.get("map_digest")
    if known:
        exam.map_changed = map_digest(exam.place) != known
    world_from_map = exam.place.world_from_map
    both = [f for f in exam.posed if f.image in model.frames]
    if both and not exam.map_changed:
        own = Pose.stack([model.frames[f.image].world_from_cam for f in both])
        centres = world_from_map.apply(own.translation)
        off = np.linalg.norm(stack_poses(both).translation - centres, axis=-1)
        exam.off_map = {f.image: float(d) for f, d in zip(both, off, strict=True)}


def _measure_revisits(exam: Examination) -> None:
    model, database = exam.model, exam.place.database_path
    if model is None or not exam.features:
        return
    names = [frame.image for frame in exam.timed if frame.image in model.frames]
    if len(names) < 2:
        return
    try:
        exam.revisits = measure_revisits(
            model, names, lambda wanted: read_descriptors_of(database, wanted)
        )
    except SightlineError as error:
        exam.damage[_inside(exam, database)] = str(error)


def _inside(exam: Examination, path: Path) -> str:
    return path.relative_to(exam.place.root).as_posix()
