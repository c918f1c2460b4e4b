"""A rendered pair set as files: scene by scene, by several processes, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.records.pairs import (
    PAIRS_CSV,
    ImagePair,
    PairSet,
    read_pair_set,
    write_pair_set,
)
from sightline.worlds.crew import Job, render_all
from sightline.worlds.folders import claimed_folder, unwritten
from sightline.worlds.rooms.config import RoomsConfig
from sightline.worlds.rooms.render import VIEWS_JSON, render_room, room_name, view_name

Progress = Callable[[str, float], None]

ROOMS_TOML = "rooms.toml"
_FORMAT = 2


def write_rooms(
    root: Path,
    config: RoomsConfig = RoomsConfig(),  # noqa: B008  (frozen)
    progress: Progress | None = None,
    *,
    processes: int | None = None,
) -> PairSet:
    """Render a pair set into a folder and return it.

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
    with claimed_folder(root, config, ROOMS_TOML, _FORMAT, "rooms"):
        images = root / "images"
        names = [room_name(k) for k in range(config.rooms)]
        missing = unwritten(images, names, VIEWS_JSON)
        if not missing and (root / PAIRS_CSV).is_file():
            report("rooms are there", 1.0)
            return read_pair_set(root)
        tell = partial(report, "rendering rooms")
        job = Job(render_room, images, config, "scene")
        render_all(job, missing, config.rooms, tell, processes)
        pairs = collect_pairs(root, config)
        write_pair_set(pairs)
    report("rooms are written", 1.0)
    return pairs


def split_of(config: RoomsConfig) -> list[str]:
    """Return each scene's split; both kinds of scene have the same shares of each."""
    splits = ["train"] * config.rooms
    for kind in (0, 1):
        rooms = np.arange(kind, config.rooms, 2)
        order = np.random.default_rng([config.seed, kind, 2]).permutation(rooms)
        validation = round(config.validation_share * len(rooms))
        test = round(config.test_share * len(rooms))
        for index in order[:validation]:
            splits[index] = "validation"
        for index in order[validation : validation + test]:
            splits[index] = "test"
    return splits


def collect_pairs(root: Path, config: RoomsConfig) -> PairSet:
    """Return the pairs of scenes that are rendered, in the scenes' order."""
    camera, pairs = config.camera, []
    for index, split in enumerate(split_of(config)):
        name = room_name(index)
        folder = Path("images") / name
        content = json.loads((root / folder / VIEWS_JSON).read_text(encoding="utf-8"))
        poses = Pose(np.array(content["q_wxyz"]), np.array(content["centres"]))
        for a, b, overlap in content["pairs"]:
            b_from_a = relative_pose(poses[b], poses[a])
            pairs.append(
                ImagePair(
                    folder / view_name(a),
                    folder / view_name(b),
                    b_from_a,
                    camera,
                    camera,
                    name,
                    split,
                    overlap,
                )
            )
    return PairSet("rooms", root, tuple(pairs), "m", f"rendered, seed {config.seed}")
