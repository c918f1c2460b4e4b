"""The demo: a rendered building, its map, its networks, and how far each answer is off."""

from __future__ import annotations

import csv
import io
import os
import sys
import time
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.app.align import AlignConfig, align
from sightline.app.build import BuildConfig, FramesConfig, build
from sightline.app.demo_report import write_demo_report
from sightline.app.demo_scores import Answer, Track, answers_of_networks, answers_of_refinement
from sightline.app.tables import text_table
from sightline.errors import SightlineError
from sightline.geometry import Pose
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.reconstruction.config import Quality, ReconstructionConfig
from sightline.records import Place, PosedFrame, read_poses_csv, stack_poses
from sightline.records.files import write_json, write_text
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.write import FloorFiles, write_floor

Progress = Callable[[str, float], None]

#: Of the rendered video; a phone's 30 would only take longer to render.
_VIDEO_FPS = 10.0

#: How many control points a person would measure in a building of this size.
_CONTROL_POINTS = 8


@dataclass(frozen=True)
class DemoSize:
    """How much the demo does."""

    fps: float
    second_frames: int
    quality: Quality
    posenet_seconds: float
    mapnet_seconds: float


FULL = DemoSize(5.0, 60, "low", 30.0, 110.0)
QUICK = DemoSize(3.0, 20, "low", 8.0, 12.0)


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo found.

    Attributes:
        report: ``report.html``.
        text: The tables, as text.
        answers: Every scored method.
        facts: Map quality: name -> (value, what it is).
    """

    report: Path
    text: str
    answers: list[Answer]
    facts: dict[str, tuple[str, str]]


def demo(root: Path, *, quick: bool = False, progress: Progress | None = None) -> DemoResult:
    """Render a building and do everything on it; finished stages are skipped when run again.

    Args:
        root: Where the floor, the place and the report go.
        quick: A shorter version that shows that all parts work.
        progress: Called with the stage and the done share.
    """
    progress = progress or (lambda stage, done: None)
    started = time.monotonic()
    size = QUICK if quick else FULL
    mapping = mapped_floor(
        root,
        fps=size.fps,
        second_frames=size.second_frames,
        quality=size.quality,
        progress=progress,
    )
    floor, place, mapped = mapping.floor, mapping.place, mapping.mapped
    runs = _train(place, size, progress)
    second = [f for f in read_poses_csv(floor.second_truth) if f.world_from_cam is not None]
    tracks = [
        Track("mod-3", place.images_dir, [f for f in mapped if f.split == "test"], None),
        Track("second walk", floor.second_images, second, floor.second_truth.parent),
    ]
    training = stack_poses([f for f in mapped if f.split == "train"])
    answers = answers_of_networks(place, runs, tracks, training, progress)
    answers += answers_of_refinement(place, tracks, progress)
    answers.sort(key=lambda answer: [track.name for track in tracks].index(answer.track))
    facts = _facts(place, mapped)
    facts["time"] = (
        f"{time.monotonic() - started:.0f} s",
        "this run, on this machine; stages found finished are skipped",
    )
    report = write_demo_report(root / "report.html", place, floor, tracks, answers, facts, runs)
    write_json(root / "results.json", _as_json(answers, facts))
    return DemoResult(report, _text(answers, facts), answers, facts)


@dataclass(frozen=True, eq=False)
class MappedFloor:
    """A rendered floor, and the place made of its video.

    Attributes:
        floor: What was rendered.
        place: In metres, on its plan.
        mapped: The place's registered frames with their true poses.
    """

    floor: FloorFiles
    place: Place
    mapped: list[PosedFrame]


def mapped_floor(
    root: Path, *, fps: float, second_frames: int, quality: Quality, progress: Progress
) -> MappedFloor:
    """Return the demo's floor, rendered, mapped and aligned; what is finished is not made again.

    Args:
        root: Where the floor, the place and the control points go.
        fps: Frames a second that the map is made of.
        second_frames: Photos of the second walk.
        quality: Of the map.
        progress: Called with the stage and the done share.

    Raises:
        RenderError: It cannot be rendered here.
        ReconstructionError: The frames do not make a map.
    """
    floor = write_floor(
        root / "floor",
        FloorConfig(video_fps=_VIDEO_FPS, second_frames=second_frames),
        lambda text, done: progress(f"rendering: {text}", done),
    )
    config = BuildConfig(
        frames=FramesConfig(fps=fps), reconstruction=ReconstructionConfig(quality=quality)
    )
    place = build(floor.video, root / "place", config, progress)
    mapped = _truth_of_frames(place, floor)
    _align(place, floor, mapped, root, progress)
    return MappedFloor(floor, place, mapped)


def open_report(report: Path) -> None:
    """Open the report in a browser where a person sits at a screen."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform in ("darwin", "win32") or screen:
        webbrowser.open(report.resolve().as_uri())


def _truth_of_frames(place: Place, floor: FloorFiles) -> list[PosedFrame]:
    """Return the place's registered frames with their true poses, found by timestamp."""
    truth = read_poses_csv(floor.truth)
    stamps = np.array([f.timestamp_s for f in truth], dtype=np.float64)
    frames = []
    for frame in place.registered():
        stamp = frame.timestamp_s if frame.timestamp_s is not None else np.nan
        nearest = int(np.abs(stamps - stamp).argmin())
        if not abs(stamps[nearest] - stamp) <= 0.005:
            raise SightlineError(f"{frame.image} has no rendered frame at its timestamp")
        frames.append(frame.with_pose(truth[nearest].world_from_cam))
    return frames


def _align(
    place: Place, floor: FloorFiles, mapped: list[PosedFrame], root: Path, progress: Progress
) -> None:
    """Align by points a person would measure: centres of some frames, to the centimetre.

    A place that is aligned by these very points is left as it is.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["frame", "x", "y", "z"])
    for i in np.linspace(0, len(mapped) - 1, _CONTROL_POINTS).astype(int):
        pose = mapped[i].world_from_cam
        if pose is not None:
            writer.writerow([mapped[i].image, *(f"{v:.2f}" for v in pose.translation)])
    control = root / "control.csv"
    same = control.is_file() and control.read_text(encoding="utf-8") == stream.getvalue()
    if same and place.alignment.get("method") == "control" and place.plan is not None:
        return
    write_text(control, stream.getvalue())
    plan = floor.plan.with_name("plan.png")
    config = AlignConfig(control=control, plan=plan, walkable=floor.plan.with_name("walkable.png"))
    align(place, config, lambda text, done: progress(f"aligning: {text}", done))


def _train(place: Place, size: DemoSize, progress: Progress) -> dict[str, Path]:
    from sightline.tasks.absolute.task import train

    runs = {}
    for name, config in demo_networks(size.posenet_seconds, size.mapnet_seconds).items():
        runs[name] = place.runs_dir / name.lower()
        train(
            place,
            config,
            runs[name],
            lambda text, done, name=name: progress(f"training {name}: {text}", done),  # type: ignore[misc]
        )
    return runs


def demo_networks(posenet_seconds: float, mapnet_seconds: float) -> dict[str, AbsoluteConfig]:
    """Return the settings that train from scratch on two processor cores."""
    return {
        "PoseNet": scratch_config("posenet", posenet_seconds),
        "MapNet": scratch_config("mapnet", mapnet_seconds),
    }


def _facts(place: Place, mapped: list[PosedFrame]) -> dict[str, tuple[str, str]]:
    registered = place.registered()
    aligned: Pose = stack_poses(registered)
    ate = absolute_trajectory_error(aligned, stack_poses(mapped)).rmse
    off = np.linalg.norm(aligned.translation - stack_poses(mapped).translation, axis=1)
    return {
        "frames": (f"{len(registered)} of {len(place.frames())}", "registered in one map"),
        "ATE": (f"{ate:.3f} m", "camera centres after Sim(3) alignment, root mean square"),
        "on the plan": (
            f"{np.median(off):.3f} m",
            f"median distance to the truth after control points (largest {off.max():.3f} m)",
        ),
    }


def _text(answers: list[Answer], facts: dict[str, tuple[str, str]]) -> str:
    lines = [f"{name}: {value} ({what})" for name, (value, what) in facts.items()]
    return "\n".join([*lines, "", text_table([Answer.HEADER, *(a.row() for a in answers)])])


def _as_json(answers: list[Answer], facts: dict[str, tuple[str, str]]) -> dict[str, object]:
    return {
        "facts": {name: value for name, (value, _) in facts.items()},
        "answers": [a.to_json() for a in answers],
    }
