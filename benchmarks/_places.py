"""Small rendered places to measure on, made when they are not there yet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sightline.app.align import AlignConfig, align
from sightline.app.build import BuildConfig, FramesConfig, build
from sightline.app.localize import trained_runs
from sightline.errors import InputError
from sightline.media.photo import list_photos
from sightline.reconstruction.config import Quality, ReconstructionConfig
from sightline.records import Place, PosedFrame, read_poses_csv
from sightline.records.files import write_text
from sightline.records.posed_images import place_from_frames
from sightline.records.splits import assign_split
from sightline.tasks.absolute.config import AbsoluteConfig
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import build_floor
from sightline.worlds.floor.walks import mapping_walk
from sightline.worlds.floor.write import FloorFiles, write_floor
from sightline.worlds.renderer import MeshRenderer

Progress = Callable[[str, float], None]

JPEG_QUALITY = 95
_CONTROL_POINTS = 6


@dataclass(frozen=True)
class Asked:
    """A place and the photos to localise in it.

    Attributes:
        place: The place's folder.
        photos: Files, in order.
    """

    place: Path
    photos: tuple[Path, ...]


def given_or_made(
    place: Path | None, queries: Path | None, work: Path, count: int, progress: Progress
) -> Asked:
    """Return the user's place and photos, or a piece of a rendered floor, mapped and trained on.

    Args:
        place: A built place, or None.
        queries: A folder of photos taken in it; wanted exactly where ``place`` is.
        work: Where the rendered place goes.
        count: At most so many photos.
        progress: Called with a stage and its fraction.

    Raises:
        InputError: One of place and queries without the other.
    """
    if (place is None) != (queries is None):
        raise InputError("--place and --queries belong together; give both, or neither")
    if place is not None and queries is not None:
        Place.open(place)
        return Asked(place, tuple(list_photos(queries)[:count]))
    return _made(work, count, progress)


def posed_place(root: Path, count: int) -> Place:
    """Return a place of ``count`` rendered frames with exact poses, divided mod 3; no map."""
    frames = render_walk(root.with_name(f"{root.name}-frames"), count, 480, 640)
    folder = root.with_name(f"{root.name}-frames")
    return place_from_frames(root, assign_split(frames, "mod3"), folder, unit="m", link=True)


def render_walk(folder: Path, count: int, width: int, height: int) -> list[PosedFrame]:
    """Return ``count`` frames of the mapping walk, rendered as JPEGs into ``folder``."""
    config = FloorConfig(image_width=width, image_height=height)
    walk = mapping_walk(config)
    chosen = [walk[i] for i in np.linspace(0, len(walk) - 1, count).astype(int)]
    folder.mkdir(parents=True, exist_ok=True)
    frames = []
    with MeshRenderer(build_floor(config)) as renderer:
        for i, (stamp, pose) in enumerate(chosen):
            name = f"{i:04d}.jpg"
            picture = renderer.render_rgb(pose, config.camera)
            Image.fromarray(picture).save(folder / name, quality=JPEG_QUALITY)
            frames.append(PosedFrame(name, stamp, pose))
    return frames


def map_floor(
    floor: FloorFiles,
    root: Path,
    *,
    fps: float,
    quality: Quality,
    loop_closing: bool,
    progress: Progress,
) -> Place:
    """Return the place built from a rendered floor's video."""
    config = BuildConfig(
        frames=FramesConfig(fps=fps),
        reconstruction=ReconstructionConfig(quality=quality, loop_closing=loop_closing),
    )
    return build(floor.video, root, config, progress)


def true_frames(place: Place, floor: FloorFiles) -> list[PosedFrame]:
    """Return the place's registered frames with their true poses, found by timestamp.

    Raises:
        InputError: A frame is not of this floor's video.
    """
    truth = read_poses_csv(floor.truth)
    stamps = np.array([f.timestamp_s for f in truth], dtype=np.float64)
    frames = []
    for frame in place.registered():
        off = np.abs(stamps - (np.nan if frame.timestamp_s is None else frame.timestamp_s))
        if not off.min() <= 0.005:
            raise InputError(f"{frame.image} has no rendered frame at its timestamp")
        frames.append(frame.with_pose(truth[int(off.argmin())].world_from_cam))
    return frames


def _made(work: Path, count: int, progress: Progress) -> Asked:
    from sightline.tasks.absolute.task import evaluate, train

    piece = 0.3
    config = FloorConfig(loops=piece, video_fps=5.0, second_frames=max(1, round(count / piece)))
    # A whole loop of photos is rendered; only those of the mapped piece can be answered.
    floor = write_floor(work / f"floor-{count}", config, progress)
    place = map_floor(
        floor, work / f"place-{count}", fps=5.0, quality="low", loop_closing=False,
        progress=progress,
    )  # fmt: skip
    if place.plan is None:
        _align_by_frames(place, floor, work / f"control-{count}.csv", progress)
    if not trained_runs(place):
        network = AbsoluteConfig(
            model="posenet", backbone="compact", weights="none", width=96, height=128,
            crop="stretch", rotation="6d", epochs=0, max_seconds=15.0,
        )  # fmt: skip
        run = train(place, network, place.runs_dir / "posenet", progress)
        evaluate(run.directory, None, progress)
    return Asked(place.root, tuple(list_photos(floor.second_images)[:count]))


def _align_by_frames(place: Place, floor: FloorFiles, control: Path, progress: Progress) -> None:
    frames = true_frames(place, floor)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["frame", "x", "y", "z"])
    for i in np.linspace(0, len(frames) - 1, _CONTROL_POINTS).astype(int):
        pose = frames[i].world_from_cam
        if pose is not None:
            writer.writerow([frames[i].image, *(f"{v:.3f}" for v in pose.translation)])
    write_text(control, stream.getvalue())
    plan = floor.plan.with_name("plan.png")
    walkable = floor.plan.with_name("walkable.png")
    align(place, AlignConfig(control=control, plan=plan, walkable=walkable), progress)
