"""``sightline build``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from sightline.app.build import BuildConfig, build
from sightline.cli.options import parse, take_config_file
from sightline.cli.progress import progress_bar
from sightline.records.config_file import config_from_toml


@dataclass(frozen=True)
class BuildOptions:
    """Make a place of a video or a folder of photos (stages that are done are skipped)."""

    source: tyro.conf.Positional[Path]
    """A video file, or a folder of photos."""
    place: tyro.conf.Positional[Path]
    """The place's folder: new, empty, or an unfinished place of the same source."""
    config: Annotated[BuildConfig, tyro.conf.arg(name="")] = field(default_factory=BuildConfig)
    """How (a TOML file with the same keys: --config FILE)."""


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    from sightline.app.summary import describe_build

    file, rest = take_config_file(arguments)
    config = config_from_toml(BuildConfig, file) if file else BuildConfig()
    default = BuildOptions(tyro.MISSING, tyro.MISSING, config)
    options = parse(BuildOptions, rest, command="build", default=default)
    with progress_bar() as progress:
        place = build(options.source, options.place, options.config, progress)
    print(describe_build(place))
    return 0
