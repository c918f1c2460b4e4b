"""``sightline localize``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sightline.cli.options import parse


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


def run(arguments: Sequence[str]) -> int:
    """Run the command; exits with 1 where any answer is unknown."""
    options = parse(LocalizeOptions, arguments, command="localize")
    from sightline.app.localize import Localizer, localize_source
    from sightline.records import Place

    if not options.source:
        from sightline.errors import InputError

        raise InputError("a photo, a folder of photos or a video is wanted, nothing came")
    localizer = Localizer.open(Place.open(options.place), options.run, refine=options.refine)
    known = True
    for source in options.source:
        for answer in localize_source(localizer, source, fps=options.fps):
            known &= answer.status != "unknown"
            print(json.dumps(answer.to_json()) if options.json else _line(answer), flush=True)
    return 0 if known else 1


def _line(answer: object) -> str:
    content = answer.to_json()  # type: ignore[attr-defined]
    if content["status"] == "unknown":
        return f"{content['image']}: don't know (this does not look like the place)"
    x, y, z = content["center"]
    plan = content["plan_xy_px"]
    where = f", plan ({plan[0]:.0f}, {plan[1]:.0f}) px" if plan else ""
    inliers = f", {content['inliers']} inliers" if content["inliers"] else ""
    return (
        f"{content['image']}: ({x:.2f}, {y:.2f}, {z:.2f}) {content['unit']}{where}, heading "
        f"{content['heading_deg']:.0f} deg, {content['status']}, confidence "
        f"{content['confidence']:.2f}{inliers}, {content['seconds']:.2f} s"
    )
