"""Scores of the demo: every method on both tests, against the rendered truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records import Place, PosedFrame, stack_poses
from sightline.tasks.absolute.metrics import (
    PoseErrors,
    nearest_frame,
    pose_errors,
    read_predictions,
    recall,
)

if TYPE_CHECKING:
    from sightline.tasks.absolute.walkable import WalkableMap

Progress = Callable[[str, float], None]

#: An answer farther off than this is wrong: it points into another room.
WRONG_M = 1.0


@dataclass(frozen=True, eq=False)
class Track:
    """Frames to be localised.

    Attributes:
        name: What the test is called.
        images: Folder of the pictures.
        frames: With their true poses.
        walk: Folder to evaluate a run on; None for the place's own frames.
    """

    name: str
    images: Path
    frames: list[PosedFrame]
    walk: Path | None

    @property
    def true(self) -> Pose:
        """(N,) true world_from_cam."""
        return stack_poses(self.frames)


@dataclass(frozen=True, eq=False)
class Answer:
    """One method's answers on one track.

    Attributes:
        track: The track's name.
        method: The method's name.
        frames: Frames asked.
        errors: Of the answered frames.
        poses: (M,) the answers.
        true: (M,) the true poses of the answered frames.
    """

    track: str
    method: str
    frames: int
    errors: PoseErrors
    poses: Pose
    true: Pose

    HEADER: ClassVar[tuple[str, ...]] = (
        "test",
        "method",
        "answered",
        "median m",
        "median deg",
        "mean m",
        "within 0.25 m, 2 deg",
        "over 1 m",
    )

    @classmethod
    def of(cls, track: Track, method: str, poses: list[Pose | None]) -> Answer:
        """Return the scored answers; None is "don't know"."""
        known = [i for i, pose in enumerate(poses) if pose is not None]
        given = Pose.stack([pose for pose in poses if pose is not None])
        true = track.true[np.array(known, dtype=np.int64)]
        return cls(track.name, method, len(poses), pose_errors(given, true), given, true)

    @property
    def answered(self) -> float:
        """Share of the frames that got an answer."""
        return len(self.poses) / max(self.frames, 1)

    def to_json(self) -> dict[str, Any]:
        """Return the scores; shares are of all frames asked."""
        if len(self.poses) == 0:
            return {"test": self.track, "method": self.method, "answered": 0.0}
        wrong = int((self.errors.position > WRONG_M).sum())
        return {
            "test": self.track,
            "method": self.method,
            "answered": self.answered,
            "median_m": float(np.median(self.errors.position)),
            "median_deg": float(np.median(self.errors.rotation_deg)),
            "mean_m": float(np.mean(self.errors.position)),
            "within": recall(self.errors, 0.25, 2.0) * self.answered,
            "wrong": wrong / self.frames,
        }

    def row(self) -> tuple[str, ...]:
        """Return the table row."""
        s = self.to_json()
        if "median_m" not in s:
            return (self.track, self.method, "0%", "-", "-", "-", "-", "-")
        return (
            self.track,
            self.method,
            f"{s['answered']:.0%}",
            f"{s['median_m']:.3f}",
            f"{s['median_deg']:.2f}",
            f"{s['mean_m']:.3f}",
            f"{s['within']:.0%}",
            f"{s['wrong']:.0%}",
        )


def answers_of_networks(
    place: Place, runs: dict[str, Path], tracks: list[Track], training: Pose, progress: Progress
) -> list[Answer]:
    """Return the nearest-frame baseline, each network, and MapNet moved to walkable floor."""
    from sightline.tasks.absolute.task import evaluate
    from sightline.tasks.absolute.walkable import WalkableMap

    plan = place.plan
    answers = []
    for track in tracks:
        baseline = nearest_frame(track.true, training)
        answers.append(Answer.of(track, "nearest training frame", list(_each(baseline))))
        for name, run_dir in runs.items():
            progress(f"evaluating: {name}, {track.name}", 0.0)
            evaluate(run_dir, track.walk)
            suffix = "" if track.walk is None else f"-{track.walk.resolve().name}"
            poses = saved_answers(run_dir / f"predictions{suffix}.csv", track)
            answers.append(Answer.of(track, name, poses))
            if name == "MapNet" and plan is not None:
                moved = moved_to_walkable(WalkableMap.of_plan(plan), poses)
                answers.append(Answer.of(track, "MapNet + walkable", moved))
    return answers


def saved_answers(path: Path, track: Track) -> list[Pose | None]:
    """Return the saved answers to a track's frames, in its order; None is "don't know".

    Args:
        path: ``predictions.csv``.
        track: Whose frames were asked.

    Raises:
        InputError: The file does not read, or is of other frames.
    """
    saved = read_predictions(path)
    known: dict[str, Pose | None] = dict(zip(saved.images, _each(saved.predicted), strict=True))
    known |= {name: None for name, _ in saved.unanswered}
    missing = [f.image for f in track.frames if f.image not in known]
    if missing:
        raise InputError(
            f"{path}: a row for each of the {len(track.frames)} frames of {track.name} is wanted, "
            f"{missing[0]} has none; delete that file and run again"
        )
    return [known[f.image] for f in track.frames]


def moved_to_walkable(walkable: WalkableMap, poses: list[Pose | None]) -> list[Pose | None]:
    """Return poses moved to walkable floor, each in its place; None stays None."""
    given = [i for i, pose in enumerate(poses) if pose is not None]
    moved = walkable.correct(Pose.stack([pose for pose in poses if pose is not None]))
    found: list[Pose | None] = [None] * len(poses)
    for row, i in enumerate(given):
        found[i] = moved[row]
    return found


def answers_of_refinement(place: Place, tracks: list[Track], progress: Progress) -> list[Answer]:
    """Return what the two stages together answer; frames of the map do not see themselves."""
    from sightline.app.localize import Localizer
    from sightline.media.photo import read_photo

    answers = []
    for track in tracks:
        own = {f.image for f in track.frames} if track.walk is None else set()
        localizer = Localizer.open(place, without_frames=own)
        poses: list[Pose | None] = []
        for begin in range(0, len(track.frames), 8):
            batch = track.frames[begin : begin + 8]
            images = [read_photo(track.images / f.image) for f in batch]
            found = localizer.localize(images, [f.image for f in batch])
            poses += [a.world_from_cam if a.status == "refined" else None for a in found]
            progress(f"localising: {track.name}", len(poses) / len(track.frames))
        answers.append(Answer.of(track, "refined", poses))
    return answers


def _each(poses: Pose) -> list[Pose]:
    return [poses[i] for i in range(len(poses))]
