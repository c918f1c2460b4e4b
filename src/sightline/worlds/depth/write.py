"""A rendered depth set as files: scene by scene, by several processes, resumable."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

from sightline.records.depth import DEPTH_CSV, DepthImage, DepthSet, write_depth_set
from sightline.worlds.crew import Job, render_all
from sightline.worlds.depth.config import DepthWorldConfig
from sightline.worlds.depth.render import (
    VIEWS_JSON,
    depth_name,
    photo_name,
    render_scene,
    scene_name,
    split_of,
)
from sightline.worlds.folders import claimed_folder

Progress = Callable[[str, float], None]

DEPTH_TOML = "depth.toml"
_FORMAT = 1


def write_depth_world(
    root: Path,
    config: DepthWorldConfig = DepthWorldConfig(),  # noqa: B008  (frozen)
    progress: Progress | None = None,
    *,
    processes: int | None = None,
) -> DepthSet:
    """Render a depth set into a folder and return it.

    Killed at any point, the same call goes on: scenes that are there are not rendered again. What
    is written depends on the config alone, not on the number of processes.

    Args:
        root: A new or empty folder, or one of the same config.
        config: What to render.
        progress: Called with a stage's name and the fraction done, 0 to 1.
        processes: How many render; one a CPU core where None.

    Raises:
        InputError: The folder holds other things, or was made from another config.
        RenderError: There is no EGL.
    """
    root = Path(root)
    report = progress or (lambda stage, fraction: None)
    with claimed_folder(root, config, DEPTH_TOML, _FORMAT, "scenes"):
        images = root / "images"
        missing = _missing(images, config)
        if missing:
            done = config.scenes - len(missing)
            report("rendering scenes", done / config.scenes)
            # Closed here, so that no process renders on when the lock is given back.
            job = Job(render_scene, images, config, "scene")
            with contextlib.closing(render_all(job, missing, processes)) as rendering:
                for finished in rendering:
                    report("rendering scenes", (done + finished) / config.scenes)
        data = collect_views(root, config)
        if missing or not (root / DEPTH_CSV).is_file():
            write_depth_set(data)
    report("scenes are written" if missing else "scenes are there", 1.0)
    return data


def _missing(images: Path, config: DepthWorldConfig) -> list[int]:
    """Return the scenes still to be rendered; what a killed run left half done is removed."""
    if images.is_dir():
        for leftover in images.glob(".*.tmp"):
            shutil.rmtree(leftover)
    return [k for k in range(config.scenes) if not (images / scene_name(k) / VIEWS_JSON).is_file()]


def collect_views(root: Path, config: DepthWorldConfig) -> DepthSet:
    """Return the photos of scenes that are rendered, in the scenes' order."""
    items = []
    for index, split in enumerate(split_of(config)):
        name = scene_name(index)
        folder = Path("images") / name
        rows = json.loads((root / folder / VIEWS_JSON).read_text(encoding="utf-8"))
        for number, row in enumerate(rows):
            fx, fy, cx, cy = row["intrinsics"]
            items.append(
                DepthImage(
                    folder / photo_name(number),
                    folder / depth_name(number),
                    split=split,
                    source=name,
                    intrinsics=(fx, fy, cx, cy),
                )
            )
    return DepthSet(root.resolve().name, root, tuple(items))
