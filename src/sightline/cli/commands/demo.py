"""``sightline demo``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sightline.cli.options import parse
from sightline.cli.progress import progress_bar


@dataclass(frozen=True)
class DemoOptions:
    """Render a building, map it from a video, train on it, localise a second walk, report."""

    folder: tyro.conf.Positional[Path] = Path("demo")
    """Where everything goes; finished stages are skipped when run again."""
    quick: tyro.conf.FlagCreatePairsOff[bool] = False
    """A short walk and short trainings: shows that it all works, not how well."""
    open: bool = True
    """Open the report in a browser where there is a screen."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    options = parse(DemoOptions, arguments, command="demo")
    from sightline.app.demo import demo, open_report

    with progress_bar() as progress:
        result = demo(options.folder, quick=options.quick, progress=progress)
    print(result.text)
    print(f"report: {result.report}")
    if options.open:
        open_report(result.report)
    return 0
