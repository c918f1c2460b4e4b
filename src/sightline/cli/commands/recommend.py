"""``sightline recommend``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from sightline.cli.options import parse
from sightline.cli.progress import progress_bar
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.tasks.utility.recommend import Recommendation


@dataclass(frozen=True)
class RecommendOptions:
    """Find the lowest picture quality at which a model keeps its answers on your images."""

    images: tyro.conf.Positional[tuple[Path, ...]]
    """Photos, folders of photos, .tar archives or .txt lists of them."""
    model: str
    """FILE.onnx, FILE.tflite, a network of torchvision, a small network, or module:function."""
    kind: Literal["classification", "detection"] = "classification"
    """What the model does. Kept is the likeliest class; of detections one or more, found again."""
    keep: float = 0.99
    """Share of the images whose answers are to be kept, above 0 and up to 1."""
    format: Literal["jpeg", "webp"] = "jpeg"
    """How the images are compressed."""
    out: Path | None = None
    """Also write a report: FILE.html, or a folder for it and the numbers."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object."""


def run(arguments: Sequence[str]) -> int:
    """Run the command; exits with 1 where no quality keeps the answers."""
    options = parse(RecommendOptions, arguments, command="recommend")
    if options.out is not None and options.out.is_file() and options.out.suffix not in _HTML:
        raise InputError(
            f"a file that ends in .html or a folder is wanted for --out, {options.out} came"
        )
    from sightline.app.recommend import recommend, text_of, write_recommendation

    with progress_bar() as progress:
        found = recommend(
            options.images, options.model, options.kind, options.keep, options.format, progress
        )
    _say_skipped(found)
    if options.json:
        print(json.dumps(found.to_json()))
    else:
        print("\n".join(text_of(found)))
    if options.out is not None:
        print(f"report: {write_recommendation(found, options.out)}", file=sys.stderr)
    return int(found.quality is None)


_HTML = (".html", ".htm")


def _say_skipped(found: Recommendation) -> None:
    for _, why in found.skipped:
        print(f"error: {' '.join(why.split())}", file=sys.stderr)
    if found.skipped:
        print(
            f"note: {len(found.skipped):,} of {len(found.skipped) + found.images:,} images are "
            "left out",
            file=sys.stderr,
        )
