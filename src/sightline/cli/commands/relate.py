"""``sightline relate``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from sightline.cli.options import parse
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.app.relate import Relation


@dataclass(frozen=True)
class RelateOptions:
    """Say how the second photo's camera stands to the first's: x_b = R x_a + t."""

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Two photos, a and b; none with --pairs."""
    pairs: Path | None = None
    """A CSV of many pairs: image_a,image_b and optional fx_a,fy_a,cx_a,cy_a,fx_b,..."""
    method: str = "auto"
    """auto, cnn, or sift, orb, akaze, surf with +poselib or +opencv."""
    intrinsics: tuple[float, ...] | None = None
    """fx fy cx cy in pixels, of both photos or of a and then b; else EXIF, else a guess."""
    run: Path | None = None
    """Run folder of the network; the bundled one where not given."""
    baseline: float | None = None
    """Distance between the cameras in metres, where it is known: t comes in metres."""
    place: Path | None = None
    """An aligned place that shows both photos: t comes in metres."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object a line."""


def run(arguments: Sequence[str]) -> int:
    """Run the command; exits with 1 where a pair has no answer, or no translation."""
    options = parse(RelateOptions, arguments, command="relate")
    _check(options)
    answered = True
    for relation in _relations(options):
        answered &= relation.estimate.status == "ok"
        print(json.dumps(relation.to_json()) if options.json else _line(relation), flush=True)
    return 0 if answered else 1


def _check(options: RelateOptions) -> None:
    if options.pairs is None and len(options.images) != 2:
        raise InputError(
            f"two photos are wanted, {len(options.images)} came; for a list use --pairs FILE.csv"
        )
    if options.pairs is not None and options.images:
        raise InputError("two photos or --pairs FILE.csv are wanted, both came")
    if options.pairs is not None and options.intrinsics is not None:
        raise InputError("--intrinsics belong to two photos; a list has its own columns for them")


def _relations(options: RelateOptions) -> Iterator[Relation]:
    from sightline.app.relate import Scale, pair_from_flags, relate, relate_list
    from sightline.tasks.relative.scoring import make_method

    localizer = None
    if options.place is not None:
        from sightline.app.localize import Localizer
        from sightline.records import Place

        localizer = Localizer.open(Place.open(options.place))
    scale = Scale(options.baseline, localizer)
    method = make_method(options.method, options.run)
    if options.pairs is not None:
        yield from relate_list(options.pairs, method, scale)
        return
    image_a, image_b = options.images
    pair = pair_from_flags(image_a, image_b, options.intrinsics)
    yield relate(pair, method, scale)


def _line(relation: Relation) -> str:
    import numpy as np

    estimate, head = relation.estimate, f"{relation.image_a} {relation.image_b}:"
    if estimate.b_from_a is None:
        return f"{head} no answer ({estimate.reason})"
    angle = float(np.rad2deg(estimate.b_from_a.rotation.magnitude()))
    tail = f"{estimate.method}, confidence {estimate.confidence:.2f}, {estimate.seconds:.2f} s"
    if estimate.inliers is not None:
        tail = f"{estimate.inliers} of {estimate.matches} matches, {tail}"
    if estimate.status == "rotation_only":
        return f"{head} turned by {angle:.2f} deg, and not moved: no translation to tell; {tail}"
    x, y, z = estimate.b_from_a.translation
    unit = "m" if estimate.t_unit == "m" else "(direction)"
    guess = " (intrinsics guessed)" if "guess" in relation.intrinsics else ""
    return (
        f"{head} turned by {angle:.2f} deg, t = ({x:.4f}, {y:.4f}, {z:.4f}) {unit}; {tail}{guess}"
    )
