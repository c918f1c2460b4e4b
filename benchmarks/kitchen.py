"""The kitchen clip, tested on its last 20% as a block: every method in one table.

    python benchmarks/kitchen.py [--seconds 300] [--every 3] [--quality medium] [--work FOLDER]

500 frames of 7-Scenes' red kitchen at 30 fps with the depth camera's poses (`sightline import
poses_json`), divided as `sightline split PLACE block` does: 285 frames to train on, 75 to validate,
100 to test at its end, gaps between. PoseNet and MapNet learn the poses of the training part from
scratch, `--seconds` each, and keep their best by the validation part. A map is made of every third
frame of the training part (`--every`); scene coordinates learn from its points, and `sightline
localize` matches the test frames to it. Answers of the map become poses of the depth camera by one
Sim(3) and one constant camera offset, both fitted on the mapping frames (the images are the colour
camera's). Medians are of the answered frames, shares of all.

Baselines: the mean training pose (constant), the pose of the training frame nearest to the truth
(an oracle), and of the mapping frame that looks most alike (retrieval top-1).

Everything made stays in the work folder, and a second run goes on where the first stopped. The
clip lies in `shared/data` beside the repository; without it there is nothing to do (exit code 2).
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from _camera_offset import OffsetFit, fit_with_offset
from _harness import WORK, Benchmark, Stages, run_main, say
from sightline.app.build import BuildConfig, assign_splits, build
from sightline.app.localize import Localizer
from sightline.datasets.posed_place import make_place
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.media.photo import read_photo
from sightline.reconstruction.config import QUALITY_PRESETS, Quality, ReconstructionConfig
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.files import atomic_path
from sightline.tasks.absolute.config import AbsoluteConfig, scratch_config
from sightline.tasks.absolute.metrics import mean_pose, nearest_frame, pose_errors, recall
from sightline.tasks.absolute.task import predict, train

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
CLIP = "video_7scenes_redkitchen_0_499"
#: Metres and degrees: the field's usual for this room, and two wider ones.
LIMITS = ((0.05, 5.0), (0.25, 5.0), (0.5, 5.0))
COLUMNS = {
    "method": "method",
    "seconds": "trained, s",
    "answered": "answered",
    "median_m": "median m",
    "median_deg": "median deg",
    **{f"within_{m:g}": f"within {m:g} m, {d:g} deg" for m, d in LIMITS},
    "over_1": "over 1 m",
}

NETWORKS: dict[str, Literal["posenet", "mapnet"]] = {"PoseNet": "posenet", "MapNet": "mapnet"}

Poses = Sequence[Pose | None]


def landscape(config: AbsoluteConfig) -> AbsoluteConfig:
    """Return settings for pictures wider than high: the sides of portrait frames, swapped."""
    return dataclasses.replace(config, width=config.height, height=config.width)


def imported(source: Path, root: Path) -> Place:
    """Return the clip as a place, divided into blocks."""
    place = make_place(source, root, progress=Stages())
    assign_splits(place, "block")
    return place


def mapped(
    whole: Place, root: Path, every: int, quality: Quality
) -> tuple[Place, list[PosedFrame]]:
    """Return the map of some training frames, all of them its training part, and their truth.

    Args:
        whole: The clip.
        root: Where the map's place goes; its photos lie beside it.
        every: One training frame in so many is taken.
        quality: Of the map.
    """
    chosen = whole.registered("train")[::every]
    photos = root.with_name(f"{root.name}-photos")
    if not photos.is_dir():
        with atomic_path(photos) as folder:
            folder.mkdir(parents=True)
            for frame in chosen:
                shutil.copyfile(whole.images_dir / frame.image, folder / frame.image)
    config = BuildConfig(reconstruction=ReconstructionConfig(quality=quality))
    place = build(photos, root, config, Stages())
    # The place numbers its images anew, in the photos' order.
    truth = dict(zip([f.image for f in place.frames()], chosen, strict=True))
    place.write_frames(
        [f.with_split("" if f.world_from_cam is None else "train") for f in place.frames()]
    )
    return place, [truth[frame.image] for frame in place.registered()]


def in_depth_world(poses: Poses, fit: OffsetFit) -> list[Pose | None]:
    """Return poses of the colour camera in the map as those of the depth camera in its world."""
    return [None if pose is None else fit.apply(pose) for pose in poses]


def localized(place: Place, photos: Sequence[Path]) -> list[Pose | None]:
    """Return what matching to the map alone says of each photo."""
    localizer = Localizer.open(place)
    answers = []
    for photo in photos:
        (answer,) = localizer.localize([read_photo(photo)], [photo.name])
        answers.append(answer.world_from_cam if answer.status == "refined" else None)
    return answers


def retrieved(place: Place, photos: Sequence[Path]) -> list[str]:
    """Return the name of the mapping frame that looks most like each photo."""
    from sightline.reconstruction.features import FeatureExtractor
    from sightline.reconstruction.map_index import MapIndex
    from sightline.reconstruction.retrieval import similar

    index, features = MapIndex.open(place), place.content["features"]
    extractor = FeatureExtractor(int(features["max_image_size"]), int(features["max_num_features"]))
    looks = [
        index.vocabulary.describe(extractor.extract(read_photo(photo)).descriptors)
        for photo in photos
    ]
    rows, _ = similar(np.stack(looks), index.global_descriptors, 1)
    return [index.names[row] for row in rows[:, 0]]


def score(method: str, poses: Poses, truth: Pose, seconds: float | None = None) -> dict[str, Any]:
    """Return a row of the table.

    Args:
        method: Its name.
        poses: N answers, None where there is none.
        truth: (N,) true poses.
        seconds: How long its training took.
    """
    known = [i for i, pose in enumerate(poses) if pose is not None]
    answered = len(known) / len(poses)
    row: dict[str, Any] = {"method": method, "seconds": seconds, "answered": answered}
    if not known:
        return row | {key: 0.0 for key in COLUMNS if key.startswith(("within", "over"))}
    found = Pose.stack([pose for pose in poses if pose is not None])
    errors = pose_errors(found, truth[np.array(known)])
    return row | {
        "median_m": float(np.median(errors.position)),
        "median_deg": float(np.median(errors.rotation_deg)),
        **{f"within_{m:g}": recall(errors, m, d) * answered for m, d in LIMITS},
        "over_1": float(np.mean(errors.position > 1.0)) * answered,
    }


def each(poses: Pose) -> list[Pose | None]:
    """Return (N,) poses as a list."""
    return [poses[i] for i in range(len(poses))]


def baselines(training: Pose, truth: Pose) -> list[dict[str, Any]]:
    """Return the rows of those that do not look at the photos."""
    return [
        score("constant: the mean training pose", each(mean_pose(training, len(truth))), truth),
        score("nearest training frame (oracle)", each(nearest_frame(truth, training)), truth),
    ]


def regressed(
    place: Place, name: str, config: AbsoluteConfig, photos: Sequence[Path], truth: Pose
) -> dict[str, Any]:
    """Return a network's row, trained where it is not there yet."""
    say(f"training {name}")
    run = train(place, config, place.runs_dir / f"{name}-{config.max_seconds:g}s", Stages())
    found = predict(run.model, photos)
    answers = [found[i] for i in range(len(found))]
    return score(name, answers, truth, config.max_seconds)


def map_rows(
    place: Place, mapping: Sequence[PosedFrame], photos: Sequence[Path], truth: Pose, seconds: float
) -> list[dict[str, Any]]:
    """Return the rows of all that rests on the map: retrieval, scene coordinates, matching."""
    fit = fit_with_offset(stack_poses(place.registered()), stack_poses(list(mapping)))
    true = dict(zip([f.image for f in place.registered()], mapping, strict=True))
    say("retrieving")
    # the pose that the truth has of the frame: what its copy would be without an error of the map
    copies: list[Pose | None] = [true[name].world_from_cam for name in retrieved(place, photos)]
    say("training scene coordinates")
    config = landscape(scratch_config("scene_coordinates", seconds))
    # outside the place: its networks would tell `localize` where to look
    runs = place.root.with_name(f"{place.root.name}-runs")
    run = train(place, config, runs / f"scene-coordinates-{seconds:g}s", Stages())
    found = predict(run.model, photos)
    scene = in_depth_world([found[i] for i in range(len(found))], fit)
    say("localising by the map")
    matched = in_depth_world(localized(place, photos), fit)
    return [
        score("retrieval top-1", copies, truth),
        score("scene coordinates", scene, truth, seconds),
        score("the map (localize)", matched, truth),
    ]


def main() -> int:
    """Measure, print one table, write bench-results/kitchen.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--data", type=Path, default=SHARED)
    bench.parser.add_argument("--work", type=Path, default=WORK / "kitchen-block")
    bench.parser.add_argument("--seconds", type=float, default=300.0, help="of each training")
    bench.parser.add_argument("--every", type=int, default=3, help="frame, for the map")
    bench.parser.add_argument("--quality", choices=list(QUALITY_PRESETS), default="medium")
    options = bench.options()
    if not (options.data / CLIP).is_dir():
        raise InputError(
            f"the clip {CLIP} is wanted in {options.data}, it is not there; this benchmark runs "
            "only where it is (see --data)"
        )
    if options.every < 1 or not options.seconds > 0:
        raise InputError(
            f"--every from 1 on and --seconds above 0 are wanted, {options.every} and "
            f"{options.seconds:g} came"
        )
    options.work.mkdir(parents=True, exist_ok=True)
    whole = imported(options.data / CLIP, options.work / "place")
    test = whole.registered("test")
    truth, training = stack_poses(test), stack_poses(whole.registered("train"))
    photos = [whole.images_dir / frame.image for frame in test]
    rows = baselines(training, truth)
    for name, model in NETWORKS.items():
        config = landscape(scratch_config(model, options.seconds))
        rows.append(regressed(whole, name, config, photos, truth))
    say("mapping the training part")
    root = options.work / f"map-{options.every}-{options.quality}"
    place, mapping = mapped(whole, root, options.every, options.quality)
    rows += map_rows(place, mapping, photos, truth, options.seconds)
    counts = {
        "training": len(training),
        "validation": len(whole.registered("validation")),
        "test": len(test),
        "mapped": len(mapping),
        "of_mapping_frames": len(place.frames()),
    }
    title = (
        f"kitchen, last block: {counts['training']} training and {counts['test']} test frames, "
        f"{counts['mapped']} of {counts['of_mapping_frames']} mapping frames in the map"
    )
    bench.report(title, COLUMNS, rows, counts=counts)
    return 0


if __name__ == "__main__":
    run_main(main)
