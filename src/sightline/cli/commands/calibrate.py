"""``sightline calibrate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from sightline.app.calibration.config import CalibrateConfig
from sightline.cli.options import parse
from sightline.cli.progress import progress_bar


@dataclass(frozen=True)
class CalibrateOptions:
    """Learn how far a place's answers are to be trusted, from photos whose true pose is known."""

    place: tyro.conf.Positional[Path]
    """A built place."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print the scores as JSON."""
    config: Annotated[CalibrateConfig, tyro.conf.arg(name="")] = field(
        default_factory=CalibrateConfig
    )
    """How."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(CalibrateOptions, arguments, command="calibrate")
    from sightline.app.calibration.calibrate import calibrate_place
    from sightline.app.calibration.report import score_rows, threshold_rows
    from sightline.app.tables import text_table
    from sightline.records import Place

    with progress_bar() as progress:
        made = calibrate_place(Place.open(options.place), options.config, progress)
    for reason in made.skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    if options.json:
        print(json.dumps(made.metrics))
        return 0
    print(text_table(score_rows(made.metrics)))
    print()
    print(text_table(threshold_rows(made.metrics)))
    print(f"calibration and report: {made.folder}")
    return 0
