"""All pictures of one shape as files, in PASCAL3D+'s layout."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from sightline.records.files import write_text
from sightline.records.objects import CATEGORIES, Box
from sightline.records.pascal3d import (
    ANNOTATIONS,
    IMAGES,
    VIEWPORT,
    Origin,
    Pascal3dObject,
    folder_name,
    write_annotation,
)
from sightline.records.rendered_views import FOLDER, SYNSETS
from sightline.worlds.canvas import Picture
from sightline.worlds.objects.catalogue import build_object
from sightline.worlds.objects.config import ObjectsWorldConfig
from sightline.worlds.objects.photograph import QUALITIES, encode, photograph
from sightline.worlds.objects.views import ObjectPose, draw_pose
from sightline.worlds.renderer import MeshRenderer

#: One file a shape, written last: its pictures are there.
SHAPES = "Shapes"
_SYNSET_OF = {category: synset for synset, category in SYNSETS.items()}
_DATABASE = "Sightline rendered objects"
#: Streams of chance of one shape; 0 is the shape's own (catalogue.build_object).
_PICTURES, _RENDERINGS, _SPLITS = 1, 2, 3

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Shape:
    """One model of one category.

    Attributes:
        category: Its name.
        number: Among the category's.
        split: Of all its pictures.
    """

    category: str
    number: int
    split: Split

    @property
    def name(self) -> str:
        """What its pictures' names begin with."""
        return f"{self.category}_{self.number:04d}"

    @property
    def origin(self) -> Origin:
        """Half of PASCAL3D+ that its pictures are in."""
        return "imagenet" if self.split == "train" else "pascal"

    def marker(self, root: Path) -> Path:
        """Return the file that says that all is there."""
        return root / SHAPES / f"{self.name}.json"

    def image(self, view: int) -> Path:
        """Return a picture's path below the set's folder."""
        suffix = "JPEG" if self.origin == "imagenet" else "jpg"
        folder = folder_name(self.category, self.origin)
        return Path(IMAGES, folder, f"{self.name}_{view:02d}.{suffix}")


@lru_cache(maxsize=4)
def all_shapes(config: ObjectsWorldConfig) -> tuple[Shape, ...]:
    """Return the set's shapes; the categories take turns, each has its own order of splits."""
    shapes: dict[tuple[int, int], Shape] = {}
    ends = np.cumsum([config.validation_instances, config.test_instances])
    for column, category in enumerate(CATEGORIES):
        order = np.random.default_rng([config.seed, column, _SPLITS]).permutation(config.instances)
        for place, number in enumerate(order.tolist()):
            split: Split = "train"
            if place < ends[1]:
                split = "validation" if place < ends[0] else "test"
            shapes[number, column] = Shape(category, number, split)
    return tuple(shapes[key] for key in sorted(shapes))


def render_shape(root: Path, config: ObjectsWorldConfig, index: int) -> None:
    """Render shape ``index``: its pictures with their annotations, then its marker.

    Raises:
        RenderError: There is no EGL.
    """
    # A process a core renders; OpenCV's own threads would only be in the way.
    cv2.setNumThreads(1)
    shape = all_shapes(config)[index]
    model = build_object(config.seed, shape.category, shape.number)
    seeds = [config.seed, list(CATEGORIES).index(shape.category), shape.number]
    rng, views = np.random.default_rng([*seeds, _PICTURES]), []
    with MeshRenderer(model) as renderer:
        for view in range(config.views_per_instance):
            pose = draw_pose(rng, shape.category, model, config.image_px, whole_degrees=False)
            picture, box = photograph(
                rng, renderer, pose, px=config.image_px, seed=config.seed, noise=config.noise
            )
            _write_view(root, shape, view, picture, encode_jpeg(rng, picture), (pose, box))
            views.append(_view_row(pose, box))
        rng = np.random.default_rng([*seeds, _RENDERINGS])
        names: set[str] = set()
        for _ in range(_renderings(config, index, shape)):
            pose = draw_pose(rng, shape.category, model, config.image_px, whole_degrees=True)
            while (name := _rendering_name(shape, pose)) in names:
                pose = draw_pose(rng, shape.category, model, config.image_px, whole_degrees=True)
            names.add(name)
            picture, box = photograph(
                rng, renderer, pose, px=config.image_px, seed=config.seed, noise=0.0
            )
            _write_bytes(root / FOLDER / name, encode(_inside(picture, box), ".png"))
    write_text(shape.marker(root), json.dumps(views) + "\n")


def encode_jpeg(rng: np.random.Generator, picture: Picture) -> bytes:
    """Return a picture as a JPEG of any usual quality."""
    return encode(picture, ".jpg", int(rng.integers(*QUALITIES)))


def _view_row(pose: ObjectPose, box: Box) -> dict[str, object]:
    angles = [pose.azimuth_deg, pose.elevation_deg, pose.tilt_deg]
    return {"box": list(box), "angles_deg": angles, "focal_px": pose.focal_px / VIEWPORT * VIEWPORT}


def _write_view(
    root: Path, shape: Shape, view: int, picture: Picture, data: bytes, seen: tuple[ObjectPose, Box]
) -> None:
    (pose, box), image = seen, shape.image(view)
    annotation = Pascal3dObject(
        category=shape.category,
        box=box,
        azimuth_deg=pose.azimuth_deg,
        elevation_deg=pose.elevation_deg,
        tilt_deg=pose.tilt_deg,
        distance=pose.distance,
        focal=pose.focal_px / VIEWPORT,
        viewport=VIEWPORT,
        px=pose.centre[0] + 0.5,
        py=pose.centre[1] + 0.5,
        cad_index=shape.number + 1,
    )
    size = (picture.shape[1], picture.shape[0])
    _write_bytes(root / image, data)
    path = root / ANNOTATIONS / image.parent.name / f"{image.stem}.mat"
    write_annotation(path, image.name, size, [annotation], database=_DATABASE)


def _write_bytes(path: Path, data: bytes) -> None:
    # Not by way of a temporary name: a shape counts when its marker is there.
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _renderings(config: ObjectsWorldConfig, index: int, shape: Shape) -> int:
    """Return how many of the rendered images are of this shape."""
    if shape.split != "train" or not config.rendered_images:
        return 0
    before = sum(s.split == "train" for s in all_shapes(config)[:index])
    shapes = config.train_instances * len(CATEGORIES)
    return config.rendered_images // shapes + (before < config.rendered_images % shapes)


def _rendering_name(shape: Shape, pose: ObjectPose) -> str:
    """Return folder and name as Su et al. (2015) have them; the angles are whole degrees."""
    synset, model = _SYNSET_OF[shape.category], f"m{shape.number:04d}"
    a, e, t = round(pose.azimuth_deg), round(pose.elevation_deg), round(pose.tilt_deg)
    stem = f"{synset}_{model}_a{a:03d}_e{e:03d}_t{t:03d}_d{round(pose.distance):03d}"
    return f"{synset}/{model}/{stem}.png"


def _inside(picture: Picture, box: Box) -> Picture:
    """Return what is in a box, with the pixels it cuts."""
    x0, y0, x1, y1 = int(box[0]), int(box[1]), int(np.ceil(box[2])), int(np.ceil(box[3]))
    return np.ascontiguousarray(picture[y0:y1, x0:x1])
