"""A rendered depth set as files: scene by scene, by several processes, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
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
from sightline.worlds.folders import claimed_folder, unwritten

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
        names = [scene_name(config, k) for k in range(config.scenes)]
        missing = unwritten(images, names, VIEWS_JSON)
        if missing:
            tell = partial(report, "rendering scenes")
            job = Job(render_scene, images, config, "scene")
            render_all(job, missing, config.scenes, tell, processes)
        data = collect_views(root, config)
        if missing or not (root / DEPTH_CSV).is_file():
            write_depth_set(data)
    report("scenes are written" if missing else "scenes are there", 1.0)
    return data


def collect_views(root: Path, config: DepthWorldConfig) -> DepthSet:
    """Return the photos of scenes that are rendered, in the scenes' order."""
    items = []
    for index, split in enumerate(split_of(config)):
        name = scene_name(config, index)
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
