"""The goals on real input: 7-Scenes' kitchen as a video, its left-out frames, and a phone scan.

    python benchmarks/real_video.py [--parts video left-out fox] [--work bench-results/work]

video     500 frames at 30 fps, taken at 10 a second and built: share of the frames in one model,
          ATE of the centres after Sim(3) against the depth camera's poses.
left-out  every third of these frames kept out of the map; each is then localised in the map of the
          others, by matching alone. Errors after the Sim(3) and one constant camera offset, both
          fitted on the mapping frames alone (the truth is the depth camera's pose, the images are
          the colour camera's). Baseline: the pose of the nearest mapping frame, chosen with the
          truth in hand.
fox       50 photos of a phone: all of them registered.

Everything built stays in the work folder, and a second run goes on where the first stopped. The
inputs lie in `shared/data` beside the repository; without them there is nothing to do (exit code
2). Exit code 1: a goal is missed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from _camera_offset import OffsetFit, fit_with_offset
from _harness import WORK, Benchmark, Stages, run_main, say, timed, work_folder
from sightline.app.build import BuildConfig, FramesConfig, build
from sightline.app.localize import Localization, Localizer
from sightline.errors import InputError
from sightline.geometry import Pose, Similarity
from sightline.geometry.rotation import rotation_angle_deg
from sightline.geometry.similarity import fit_similarity
from sightline.geometry.trajectory import absolute_trajectory_error
from sightline.reconstruction.config import QUALITY_PRESETS, ReconstructionConfig
from sightline.records import Place, PosedFrame, stack_poses
from sightline.records.files import atomic_path, write_json

SHARED = Path(__file__).resolve().parents[1].parent / "shared" / "data"
KITCHEN = "video_7scenes_redkitchen_0_499"
FOX = "pose_fox_phone"
VIDEO_FPS = 30.0
FPS = 10.0
PARTS = ("video", "left-out", "fox")
BATCH = 8


def read_truth(path: Path) -> Pose:
    """Return (N,) world_from_depth of a ``poses.json``, in the order of the video's frames."""
    frames = json.loads(path.read_text(encoding="utf-8"))["frames"]
    ordered = sorted(frames, key=lambda f: int(f["frame"]))
    return Pose(
        np.array([f["qwxyz_c2w"] for f in ordered]), np.array([f["center_xyz"] for f in ordered])
    )


def truth_at(truth: Pose, frames: Sequence[PosedFrame]) -> Pose:
    """Return (M,) true poses of frames taken from the video, by their timestamps.

    Raises:
        InputError: A frame lies outside the video, or between two of its frames.
    """
    stamps = np.array([np.nan if f.timestamp_s is None else f.timestamp_s for f in frames])
    index = np.rint(stamps * VIDEO_FPS)
    fits = (np.abs(stamps * VIDEO_FPS - index) < 0.1) & (index >= 0) & (index < len(truth))
    if not fits.all():
        bad = frames[int(np.flatnonzero(~fits)[0])]
        raise InputError(f"frames of the video are wanted; {bad.image} at {bad.timestamp_s} s came")
    return truth[index.astype(np.int64)]


def video_part(data: Path, work: Path, quality: Any) -> list[dict[str, Any]]:
    """Return the goals of building the video."""
    place, build_s = built(data / KITCHEN / "video.mp4", work / "kitchen", quality)
    registered = place.registered()
    truth = truth_at(read_truth(data / KITCHEN / "poses.json"), registered)
    estimated = stack_poses(registered)
    ate = absolute_trajectory_error(estimated, truth)
    offset = fit_with_offset(estimated, truth)
    with_offset = offset.apply(estimated)
    off = np.linalg.norm(with_offset.translation - truth.translation, axis=1)
    share = len(registered) / len(place.frames())
    part = "kitchen video"
    return [
        goal(part, f"in one model, of {len(place.frames())} frames", share, ">=", 0.95),
        goal(part, "ATE after Sim(3), m", ate.rmse, "<=", 0.05),
        goal(part, "ATE after Sim(3) and camera offset, m", float(np.sqrt(np.mean(off**2)))),
        goal(part, "build, s", build_s),
    ]


def left_out_part(data: Path, work: Path, quality: Any) -> list[dict[str, Any]]:
    """Return the goals of localising every third frame in the map of the others."""
    whole, _ = built(data / KITCHEN / "video.mp4", work / "kitchen", quality)
    truth = read_truth(data / KITCHEN / "poses.json")
    frames = whole.frames()
    left_out = frames[2::3]
    mapping = [f for i, f in enumerate(frames) if i % 3 != 2]
    photos = work / "kitchen-two-thirds-photos"
    if not photos.is_dir():
        with atomic_path(photos) as folder:
            folder.mkdir()
            for frame in mapping:
                shutil.copyfile(whole.images_dir / frame.image, folder / frame.image)
    place, build_s = built(photos, work / "kitchen-two-thirds", quality)
    # The place numbers its images anew, in the photos' order.
    by_image = dict(zip([f.image for f in place.frames()], mapping, strict=True))
    registered = place.registered()
    mapped_truth = truth_at(truth, [by_image[f.image] for f in registered])
    estimated = stack_poses(registered)
    fit = fit_with_offset(estimated, mapped_truth)
    plain = fit_similarity(estimated.translation, mapped_truth.translation)
    say(f"localising {len(left_out)} frames")
    seconds, answers = timed(lambda: localize(place, whole.images_dir, left_out))
    share = len(registered) / len(mapping)
    rows = score(answers, truth_at(truth, left_out), mapped_truth, fit, plain)
    return [
        goal("left-out frames", f"in the map, of {len(mapping)} frames", share),
        *rows,
        goal("left-out frames", "localising, s a frame", seconds / len(left_out)),
        goal("left-out frames", "build, s", build_s),
    ]


def localize(place: Place, images: Path, frames: Sequence[PosedFrame]) -> list[Localization]:
    """Return the answers for frames, by matching to the map alone."""
    from sightline.media.photo import read_photo

    localizer = Localizer.open(place)
    answers: list[Localization] = []
    for start in range(0, len(frames), BATCH):
        part = frames[start : start + BATCH]
        pictures = [read_photo(images / f.image) for f in part]
        answers += localizer.localize(pictures, [f.image for f in part])
    return answers


def score(
    answers: Sequence[Localization],
    truth: Pose,
    mapped_truth: Pose,
    fit: OffsetFit,
    plain: Similarity,
) -> list[dict[str, Any]]:
    """Return the errors of the refined answers beside those of the nearest mapping frame.

    Args:
        answers: One a left-out frame.
        truth: (N,) their true world_from_depth.
        mapped_truth: (M,) of the mapping frames.
        fit: Similarity and camera offset, fitted on the mapping frames.
        plain: Similarity alone, fitted on the mapping frames.
    """
    from sightline.tasks.absolute.metrics import nearest_frame

    part = "left-out frames"
    known = [i for i, a in enumerate(answers) if a.status == "refined"]
    rows = [goal(part, f"answered, of {len(answers)}", len(known) / len(answers))]
    if not known:
        return rows
    poses = [answers[i].world_from_cam for i in known]
    found = Pose.stack([p for p in poses if p is not None])
    predicted = fit.apply(found)
    true = truth[np.array(known)]
    position = np.linalg.norm(predicted.translation - true.translation, axis=1)
    without = np.linalg.norm(plain.apply(found.translation) - true.translation, axis=1)
    rotation = rotation_angle_deg(predicted.q_wxyz, true.q_wxyz)
    copied = nearest_frame(truth, mapped_truth)
    copied_m = np.linalg.norm(copied.translation - truth.translation, axis=1)
    copied_deg = rotation_angle_deg(copied.q_wxyz, truth.q_wxyz)
    turn_deg = np.rad2deg(fit.colour_from_depth.rotation.magnitude())
    shift_m = np.linalg.norm(fit.colour_from_depth.translation)
    return [
        *rows,
        goal(part, "median position, m", np.median(position), "<=", 0.04, np.median(copied_m)),
        goal(part, "median rotation, deg", np.median(rotation), "<=", 2.0, np.median(copied_deg)),
        goal(part, "95th percentile position, m", np.percentile(position, 95)),
        goal(part, "median position after Sim(3) alone, m", np.median(without)),
        goal(part, "camera offset fitted, m", shift_m),
        goal(part, "camera offset fitted, deg", turn_deg),
    ]


def fox_part(data: Path, work: Path, quality: Any) -> list[dict[str, Any]]:
    """Return the goals of building the phone's photos."""
    place, build_s = built(data / FOX / "images", work / "fox", quality)
    total = len(place.frames())
    return [
        goal("fox photos", f"registered, of {total}", len(place.registered()), ">=", total),
        goal("fox photos", "build, s", build_s),
    ]


def built(source: Path, root: Path, quality: Any) -> tuple[Place, float]:
    """Return a built place and the seconds its building took (in the session that ended it)."""
    config = BuildConfig(
        frames=FramesConfig(fps=FPS), reconstruction=ReconstructionConfig(quality=quality)
    )
    root = root.with_name(f"{root.name}-{quality}")
    record = root.with_name(f"{root.name}.json")
    known = json.loads(record.read_text(encoding="utf-8"))["build_s"] if record.is_file() else None
    say(f"building {root.name}{' (done before)' if known else ''}")
    seconds, place = timed(lambda: build(source, root, config, Stages()))
    if known is None:
        write_json(record, {"build_s": seconds})
    return place, seconds if known is None else known


def goal(
    part: str,
    what: str,
    value: float,
    sense: str = "",
    limit: float | None = None,
    baseline: float | None = None,
) -> dict[str, Any]:
    """Return a row: a figure, its goal where there is one, and the baseline's figure."""
    met = None
    if limit is not None:
        met = bool(value >= limit if sense == ">=" else value <= limit)
    row = {"part": part, "what": what, "value": float(value), "sense": sense, "limit": limit}
    copied = None if baseline is None else float(baseline)
    ratio = None if copied is None else copied / float(value)
    return {**row, "met": met, "baseline": copied, "times_better": ratio}


_RUN: dict[str, Callable[[Path, Path, Any], list[dict[str, Any]]]] = {
    "video": video_part,
    "left-out": left_out_part,
    "fox": fox_part,
}


def main() -> int:
    """Measure, print a table, write bench-results/real_video.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--data", type=Path, default=SHARED)
    bench.parser.add_argument("--work", type=Path, default=WORK)
    bench.parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    bench.parser.add_argument("--quality", choices=list(QUALITY_PRESETS), default="medium")
    options = bench.options()
    if not options.data.is_dir():
        raise InputError(
            f"the real inputs are wanted in {options.data}, they are not there; this benchmark "
            "runs only where they are (see --data)"
        )
    rows: list[dict[str, Any]] = []
    with work_folder(options.work) as work:
        for part in options.parts:
            rows += _RUN[part](options.data, work, options.quality)
    for row in rows:
        row["goal"] = None if row["limit"] is None else f"{row['sense']} {row['limit']:g}"
    columns = {
        "part": "part", "what": "what", "value": "value", "goal": "goal", "met": "met",
        "baseline": "nearest mapping frame", "times_better": "times better",
    }  # fmt: skip
    bench.report(f"real input, quality {options.quality}", columns, rows)
    return 0 if all(row["met"] in (True, None) for row in rows) else 1


if __name__ == "__main__":
    run_main(main)
