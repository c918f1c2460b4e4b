"""The rendered objects as a folder in PASCAL3D+'s layout: shape by shape, resumable."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np

from sightline.geometry.viewpoint import cam_from_object
from sightline.records.files import write_text
from sightline.records.objects import CATEGORIES, ObjectSet, ObjectView
from sightline.records.pascal3d import Origin, image_set
from sightline.worlds.crew import Job, render_all
from sightline.worlds.folders import claimed_folder
from sightline.worlds.objects.config import ObjectsWorldConfig
from sightline.worlds.objects.render import SHAPES, Shape, all_shapes, render_shape

Progress = Callable[[str, float], None]

OBJECTS_TOML = "objects.toml"
_FORMAT = 1


def write_objects(
    root: Path,
    config: ObjectsWorldConfig = ObjectsWorldConfig(),  # noqa: B008  (frozen)
    progress: Progress | None = None,
    *,
    processes: int | None = None,
) -> ObjectSet:
    """Render pictures of objects into a folder, in PASCAL3D+'s layout, and return the set.

    Killed at any point, the same call goes on: shapes whose pictures are there are not rendered
    again. What is written depends on the config alone, not on the number of processes. The images
    of ``config.rendered_images`` lie beside, in the layout of Su et al. (2015), and are not in the
    set that comes back.

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
    with claimed_folder(root, config, OBJECTS_TOML, _FORMAT, "objects"):
        shapes = all_shapes(config)
        missing = [k for k, shape in enumerate(shapes) if not shape.marker(root).is_file()]
        if missing:
            (root / SHAPES).mkdir(exist_ok=True)
            tell = partial(report, "rendering objects")
            job = Job(render_shape, root, config, "shape")
            render_all(job, missing, len(shapes), tell, processes)
        _write_lists(root, config, shapes)
        data = collect_objects(root, shapes)
    report("objects are there" if not missing else "objects are written", 1.0)
    return data


def collect_objects(root: Path, shapes: Sequence[Shape]) -> ObjectSet:
    """Return the views of shapes that are rendered: training ones first, by category and name."""
    rows = [
        (shape, view, row)
        for shape in _in_order(shapes)
        for view, row in enumerate(json.loads(shape.marker(root).read_text(encoding="utf-8")))
    ]
    angles = np.radians(np.array([row["angles_deg"] for *_, row in rows]).reshape(-1, 3))
    turns = cam_from_object(*angles.T).tolist()
    views = tuple(
        ObjectView(
            image=shape.image(view),
            box=(row["box"][0], row["box"][1], row["box"][2], row["box"][3]),
            category=shape.category,
            cam_from_object=(q[0], q[1], q[2], q[3]),
            split=shape.split,
            source=shape.name,
            focal_px=row["focal_px"],
        )
        for (shape, view, row), q in zip(rows, turns, strict=True)
    )
    return ObjectSet(root.resolve().name, root, views, tuple(CATEGORIES))


def _in_order(shapes: Sequence[Shape]) -> list[Shape]:
    order = {name: place for place, name in enumerate(CATEGORIES)}
    origins = get_args(Origin)
    return sorted(shapes, key=lambda s: (origins.index(s.origin), order[s.category], s.number))


def _write_lists(root: Path, config: ObjectsWorldConfig, shapes: Sequence[Shape]) -> None:
    """Write which pictures are of which part; PASCAL's lists name those of all categories.

    ImageNet's val list, which is for training too, gets every fourth training shape.
    """
    lists: dict[Path, list[str]] = {}
    for category in CATEGORIES:
        for part in ("train", "val"):
            lists[image_set(root, part, category, "imagenet")] = []
            lists[image_set(root, part, category, "pascal")] = []
    for shape in _in_order(shapes):
        late = shape.number % 4 == 3 if shape.split == "train" else shape.split == "test"
        path = image_set(root, "val" if late else "train", shape.category, shape.origin)
        lists[path] += [shape.image(view).stem for view in range(config.views_per_instance)]
    for path, names in lists.items():
        text = "".join(f"{name}\n" for name in names)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            write_text(path, text)
