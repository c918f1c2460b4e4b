"""What helps a network of absolute pose on a second walk: variants trained alike on one place.

    python benchmarks/absolute_learning.py PLACE WALK [--passes 300 | --seconds 120]
        [--variants mapnet mapnet-shift ...] [--start RUN] [--seeds 0 1] [--work FOLDER]

PLACE is a built place, WALK another walk in it, never trained on: a folder with poses.csv and
images (``sightline demo DEMO`` makes DEMO/place and DEMO/floor/second). Each variant changes the
settings of ``scratch_config`` as its row says, is trained for the same passes over the training
frames (or the same seconds) and judged on the walk, beside an oracle that copies the nearest
training frame's pose. ``--start RUN`` is a run on another place, for variants that start from one.

Baseline: that oracle, over the place's training frames (it knows fewer than the variants ``-all``),
and the first variant of a model.

One training is one draw: with several ``--seeds`` a row has the median over them, and how far they
lie apart. Trainings lie in ``--work`` and are not made again; a killed one goes on.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from _harness import WORK, Benchmark, Stages, median_of, run_main, say
from sightline.errors import InputError
from sightline.learning.runs import read_run_table
from sightline.media import exif_focal_px
from sightline.media.photo import photo_size
from sightline.reconstruction.refine import camera_for_photo
from sightline.records import Place, PosedFrame, read_poses_csv, stack_poses
from sightline.records.cameras import common_camera
from sightline.records.files import digest
from sightline.tasks.absolute.checkpoint import AbsoluteModel
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config
from sightline.tasks.absolute.metrics import nearest_frame, scores
from sightline.tasks.absolute.models import load_model
from sightline.tasks.absolute.samples import frame_tuples, training_frames
from sightline.tasks.absolute.several_views import predict_in_views
from sightline.tasks.absolute.task import evaluate, train

Model = Literal["posenet", "mapnet", "scene_coordinates"]

#: Validations of a training, so that no variant spends more of its passes on them.
VALIDATIONS = 20


@dataclass(frozen=True)
class Variant:
    """One way of learning.

    Attributes:
        model: What is trained.
        what: What is tried, in words.
        changes: Of ``scratch_config``'s settings.
        times: Its passes or seconds, over the others'.
        views: Copies of a picture that it is asked about in.
        starts: Whether it starts from ``--start``.
        all_frames: Whether the place's test frames are trained on too: the walk is the test.
    """

    model: Model
    what: str
    changes: dict[str, Any] = field(default_factory=dict)
    times: float = 1.0
    views: int = 1
    starts: bool = False
    all_frames: bool = False


_STILL = {"augment_yaw_deg": 0.0, "augment_pitch_deg": 0.0, "augment_roll_deg": 0.0}
_WIDE = {"augment_yaw_deg": 40.0, "augment_pitch_deg": 10.0, "augment_roll_deg": 6.0}
_CENTRE = {"width": 84, "height": 84, "crop": "center"}

VARIANTS: dict[str, Variant] = {
    "mapnet": Variant("mapnet", "the settings of the demo"),
    "mapnet-still": Variant("mapnet", "no turned cameras", _STILL),
    "mapnet-wide": Variant("mapnet", "turned up to 40, 10, 6 deg (20, 6, 4)", _WIDE),
    "mapnet-shift": Variant("mapnet", "moved up to 0.3 by depth", {"augment_shift": 0.3}),
    "mapnet-wide-shift": Variant("mapnet", "both", {**_WIDE, "augment_shift": 0.3}),
    "mapnet-grey": Variant("mapnet", "no change of colour", {"augment_colour": 0.0}),
    "mapnet-colour": Variant("mapnet", "colour 0.5 (0.25)", {"augment_colour": 0.5}),
    "mapnet-centre": Variant("mapnet", "centred square, as many pixels", _CENTRE),
    "mapnet-large": Variant("mapnet", "108x144 pixels (72x96)", {"width": 108, "height": 144}),
    "mapnet-absolute": Variant("mapnet", "relative term 0 (0.3)", {"alpha": 0.0}),
    "mapnet-relative": Variant("mapnet", "relative term 1 (0.3)", {"alpha": 1.0}),
    "mapnet-near": Variant("mapnet", "tuples of neighbours (8 apart)", {"skip": 1}),
    "mapnet-views": Variant("mapnet", "as mapnet, asked in 5 turned copies", views=5),
    "mapnet-start": Variant("mapnet", "backbone of --start RUN", starts=True),
    "mapnet-all": Variant("mapnet", "the place's test frames too", all_frames=True),
    "mapnet-best": Variant(
        "mapnet", "those, and both motions", {**_WIDE, "augment_shift": 0.3}, all_frames=True
    ),
    "posenet": Variant("posenet", "the settings of the demo"),
    "posenet-still": Variant("posenet", "no turned cameras", _STILL),
    "posenet-wide-shift": Variant("posenet", "both motions", {**_WIDE, "augment_shift": 0.3}),
    "posenet-start": Variant("posenet", "backbone of --start RUN", starts=True),
    "scene": Variant("scene_coordinates", "the usual settings"),
    "scene-still": Variant("scene_coordinates", "no turned cameras", _STILL),
    "scene-shift": Variant("scene_coordinates", "moved up to 0.3 by depth", {"augment_shift": 0.3}),
    "scene-longer": Variant("scene_coordinates", "three times as long", times=3.0),
    "scene-all": Variant("scene_coordinates", "the place's test frames too", all_frames=True),
}


@dataclass(frozen=True)
class Budget:
    """What each variant gets: passes over the training frames, or seconds; the other is 0."""

    passes: int
    seconds: float


def config_of(variant: Variant, budget: Budget, seed: int, start: Path | None) -> AbsoluteConfig:
    """Return a variant's settings."""
    epochs = round(budget.passes * variant.times)
    length = {
        "epochs": epochs,
        "max_seconds": budget.seconds * variant.times,
        "validate_every": max(1, epochs // VALIDATIONS) if epochs else 0,
        "seed": seed,
    }
    if variant.starts:
        length["weights"] = str(start)
    return dataclasses.replace(scratch_config(variant.model, 1.0), **variant.changes, **length)


def with_all_frames(place: Place, work: Path) -> Place:
    """Return the place with its test frames among the training ones; images and map are its own."""
    root = work / f"{place.name}-{digest(str(place.root.resolve()))[:8]}-all-frames"
    root.mkdir(parents=True, exist_ok=True)
    for folder in (place.images_dir, place.reconstruction_dir):
        if folder.is_dir() and not (root / folder.name).exists():
            (root / folder.name).symlink_to(folder.resolve(), target_is_directory=True)
    shutil.copyfile(place.root / "place.toml", root / "place.toml")
    made = Place.open(root)
    made.write_frames([f.with_split("train") if f.split == "test" else f for f in place.frames()])
    return made


def measure(
    variant: Variant, config: AbsoluteConfig, place: Place, walk: Path, runs: Path
) -> dict[str, float]:
    """Return how one training went, and its scores on the walk."""
    name = f"{config.model}-{digest(dataclasses.asdict(config), str(place.root))[:10]}"
    train(place, config, runs / name, Stages())
    about = read_run_table(runs / name)
    found: dict[str, Any] = evaluate(runs / name, walk)["splits"]["walk"]
    if variant.views > 1:
        model = load_model(runs / name)
        if not isinstance(model, AbsoluteModel):
            raise InputError(f"PoseNet or MapNet is wanted for several views, {config.model} came")
        found |= in_views(model, place, walk, variant.views)
    tuples = config.model == "mapnet"
    frames = frame_tuples(len(training_frames(place)), config).size if tuples else None
    return {
        "median_m": float(found.get("median_position", np.nan)),
        "median_deg": float(found.get("median_rotation_deg", np.nan)),
        "within": float(found.get("recall", {}).get("0.5, 5 deg", 0.0)),
        "answered": float(found.get("answered", 1.0)),
        "passes": float(about["epochs"]),
        "images": float(about["epochs"] * (frames or len(training_frames(place)))),
        "seconds": float(about["seconds"]),
    }


def in_views(model: AbsoluteModel, place: Place, walk: Path, count: int) -> dict[str, Any]:
    """Return the scores of a walk whose pictures are asked about in turned copies."""
    frames, folder = walk_frames(walk)
    files = [folder / f.image for f in frames]
    usual = common_camera(place)
    if usual is None:
        raise InputError(f"a [camera] in {place.root / 'place.toml'} is wanted for several views")
    cameras = [camera_for_photo(usual, *photo_size(file), exif_focal_px(file)) for file in files]
    return scores(predict_in_views(model, files, cameras, count), stack_poses(frames))


def walk_frames(walk: Path) -> tuple[list[PosedFrame], Path]:
    """Return a walk's posed frames and the folder of their images."""
    frames = [f for f in read_poses_csv(walk / "poses.csv") if f.world_from_cam is not None]
    return frames, walk / "images" if (walk / "images").is_dir() else walk


def row_of(name: str, measured: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Return a table row: medians over the seeds, and the spread of the error between them."""
    row: dict[str, Any] = {"variant": name, "what": VARIANTS[name].what}
    for key in measured[0]:
        row[key] = median_of([one[key] for one in measured])
    errors = [one["median_m"] for one in measured]
    return row | {"seeds": len(measured), "spread_m": max(errors) - min(errors)}


def oracle(place: Place, walk: Path) -> dict[str, Any]:
    """Return the row of copying the nearest training frame's pose."""
    true = stack_poses(walk_frames(walk)[0])
    found = scores(nearest_frame(true, stack_poses(training_frames(place))), true)
    return {
        "variant": "nearest frame",
        "what": "an oracle copies the nearest training frame",
        "median_m": found["median_position"],
        "median_deg": found["median_rotation_deg"],
        "within": found["recall"]["0.5, 5 deg"],
        "answered": 1.0,
    }


def chosen(names: Sequence[str] | None, start: Path | None) -> list[str]:
    """Return the variants to train: those asked for, else all that can be.

    Raises:
        InputError: One that starts from a run is asked for, and there is none.
    """
    if names is None:
        return [name for name, variant in VARIANTS.items() if start or not variant.starts]
    without = [name for name in names if VARIANTS[name].starts and start is None]
    if without:
        raise InputError(f"--start RUN is wanted for {', '.join(without)}; add it")
    return list(names)


def main() -> int:
    """Train, judge, print a table, write bench-results/absolute_learning.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("place", type=Path)
    bench.parser.add_argument("walk", type=Path)
    length = bench.parser.add_mutually_exclusive_group()
    length.add_argument("--passes", type=int, default=0, help="over the training frames (300)")
    length.add_argument("--seconds", type=float, default=0.0, help="instead of passes")
    bench.parser.add_argument("--variants", nargs="+", choices=list(VARIANTS))
    bench.parser.add_argument("--start", type=Path, help="a run on another place")
    bench.parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    bench.parser.add_argument("--work", type=Path, default=WORK / "absolute_learning")
    options = bench.options()
    place = Place.open(options.place)
    passes = options.passes or (0 if options.seconds else 300)
    budget = Budget(passes, options.seconds)
    rows = [oracle(place, options.walk)]
    for name in chosen(options.variants, options.start):
        variant = VARIANTS[name]
        trained_on = with_all_frames(place, options.work) if variant.all_frames else place
        measured = []
        for seed in options.seeds:
            say(f"{name}, seed {seed}: {variant.what}")
            config = config_of(variant, budget, seed, options.start)
            runs = options.work / "runs"
            measured.append(measure(variant, config, trained_on, options.walk, runs))
        rows.append(row_of(name, measured))
        say(f"{name}: {rows[-1]['median_m']:.3f} m, {rows[-1]['median_deg']:.2f} deg")
    columns = {
        "variant": "variant", "what": "what", "median_m": f"median {place.unit}",
        "median_deg": "median deg", "within": "within 0.5, 5 deg", "answered": "answered",
        "spread_m": "seeds apart", "passes": "passes", "images": "images seen", "seconds": "s",
    }  # fmt: skip
    length_of = f"{passes} passes" if passes else f"{options.seconds:g} s"
    bench.report(f"a second walk after {length_of} of training each", columns, rows)
    return 0


if __name__ == "__main__":
    run_main(main)
