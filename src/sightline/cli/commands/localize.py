"""``sightline localize``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from sightline.cli.options import parse
from sightline.cli.progress import progress_bar

if TYPE_CHECKING:
    from sightline.app.localize import Localizer
    from sightline.app.trajectory import Trajectory
    from sightline.records import Place


@dataclass(frozen=True)
class LocalizeOptions:
    """Say where photos were taken: a photo, a folder of photos, or a video."""

    place: tyro.conf.Positional[Path]
    """A built place."""
    source: tyro.conf.Positional[tuple[Path, ...]]
    """Photos, folders of photos, or videos."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line."""
    run: str | None = None
    """The run whose network proposes; the best by validation otherwise."""
    refine: bool = True
    """Match the photo to the map (the second stage)."""
    fps: float = 2.0
    """Frames a second taken of a video."""
    min_confidence: float | None = None
    """Say "don't know" instead of an answer less likely than this to be within the radius."""
    max_wrong: float | None = None
    """The same, from the confidence on that keeps wrong answers under this share of the photos;
    for places that were calibrated (`sightline calibrate`)."""
    smooth: tyro.conf.FlagCreatePairsOff[bool] = False
    """Make one trajectory of a video's frames, or of a folder's in order; lines come at the end."""
    odometry: Path | None = None
    """With --smooth: motion from a TUM trajectory in metres on the video's clock."""
    odometry_shift: float = 0.0
    """Seconds to add to the times of --odometry: they count from the video's first frame."""
    tum: Path | None = None
    """Also write the trajectory in TUM's format."""
    plan_picture: Path | None = None
    """Also draw the trajectory on the plan (.png, .svg, .pdf)."""
    overlay: Path | None = None
    """Also write the video with the plan in its corner, position and heading (.mp4)."""


def run(arguments: Sequence[str]) -> int:
    """Run the command; exits with 1 where any answer is unknown."""
    options = parse(LocalizeOptions, arguments, command="localize")
    from sightline.app.localize import Localizer
    from sightline.records import Place

    _check(options)
    localizer = Localizer.open(
        Place.open(options.place),
        options.run,
        refine=options.refine,
        min_confidence=options.min_confidence,
        max_wrong=options.max_wrong,
    )
    if localizer.confidence.note:
        print(f"note: {localizer.confidence.note}", file=sys.stderr)
    known = True
    for source in options.source:
        known &= _localize(localizer, source, options)
    return 0 if known else 1


def _check(options: LocalizeOptions) -> None:
    from sightline.errors import InputError

    if not options.source:
        raise InputError("a photo, a folder of photos or a video is wanted, nothing came")
    if options.max_wrong is not None and (options.smooth or not options.refine):
        raise InputError(
            "answers as they were calibrated are wanted with --max-wrong, "
            f"{'--smooth' if options.smooth else '--no-refine'} came; give --min-confidence"
        )
    files = (options.odometry, options.tum, options.plan_picture, options.overlay)
    if any(path is not None for path in files) and len(options.source) != 1:
        raise InputError(
            "one video or folder is wanted with --odometry, --tum, --plan-picture or --overlay, "
            f"{len(options.source)} came"
        )
    if options.overlay is not None and options.overlay.suffix.lower() != ".mp4":
        raise InputError(f"a name ending in .mp4 is wanted after --overlay, {options.overlay} came")


def _localize(localizer: Localizer, source: Path, options: LocalizeOptions) -> bool:
    """Print a source's answers and write its files; return whether all frames were recognised."""
    from sightline.app.trajectory import follow

    def say(content: dict[str, Any]) -> None:
        print(json.dumps(content) if options.json else _line(content), flush=True)

    with progress_bar() as progress:
        trajectory = follow(
            localizer,
            source,
            fps=options.fps,
            smoothed=options.smooth,
            odometry=options.odometry,
            odometry_shift_s=options.odometry_shift,
            answered=lambda answer: None if options.smooth else say(answer.to_json()),
            progress=progress,
        )
    if options.smooth:
        for i in range(len(trajectory.best)):
            say(trajectory.to_json(i))
    _write(trajectory, source, localizer.place, options)
    if trajectory.stopped is not None:
        raise trajectory.stopped
    return all(answer.status != "unknown" for answer in trajectory.best)


def _write(trajectory: Trajectory, source: Path, place: Place, options: LocalizeOptions) -> None:
    written = [path for path in (options.tum, options.plan_picture) if path is not None]
    if options.tum is not None:
        trajectory.write_tum(options.tum)
    if options.plan_picture is not None:
        trajectory.write_plan_picture(options.plan_picture, place)
    if options.overlay is not None:
        from sightline.app.overlay import write_overlay

        with progress_bar() as progress:
            write_overlay(
                options.overlay, source, trajectory, place, fps=options.fps, progress=progress
            )
        written.append(options.overlay)
    for path in written:
        print(f"written: {path}", file=sys.stderr)


def _line(content: dict[str, Any]) -> str:
    from sightline.app.judged import rounded_down

    confidence = rounded_down(content["confidence"], 2)
    if content["status"] == "unknown" and content["confidence"] > 0:
        return f"{content['image']}: don't know (confidence {confidence:.2f} only)"
    if content["status"] == "unknown":
        return f"{content['image']}: don't know (this does not look like the place)"
    x, y, z = content["center"]
    plan = content["plan_xy_px"]
    where = f", plan ({plan[0]:.0f}, {plan[1]:.0f}) px" if plan else ""
    inliers = f", {content['inliers']} inliers" if content["inliers"] else ""
    return (
        f"{content['image']}: ({x:.2f}, {y:.2f}, {z:.2f}) {content['unit']}{where}, heading "
        f"{content['heading_deg']:.0f} deg, {content['status']}, confidence "
        f"{confidence:.2f}{inliers}, {content['seconds']:.2f} s"
    )
