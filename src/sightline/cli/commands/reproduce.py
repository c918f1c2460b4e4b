"""``sightline reproduce``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from sightline.app.papers import PAPERS, Paper, find_paper
from sightline.cli.options import parse, take_name
from sightline.cli.progress import progress_bar


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline reproduce PAPER DATA [flags]``."""
    number, rest = take_name(
        arguments, "reproduce", "paper", list(PAPERS), "DATA [--out FOLDER] [flags]"
    )
    paper = find_paper(number)
    options: Any = parse(_options(paper), rest, command=f"reproduce {number}")
    data = None if options.data is None else paper.load("data")(options.data)
    with progress_bar() as progress:
        found = paper.load("reproduce")(data, options.config, options.out, progress)
    print(found.to_text())
    print(f"\nresults: {found.folder}")
    return 0


def _options(paper: Paper) -> Any:
    """Return the command's options with the paper's own settings as flags."""
    config_type = paper.load("config")
    out_help = f"Where runs and results go; {paper.default_out} where not given."
    about = tyro.conf.arg(help=paper.data_help)
    data: Any = ("data", Annotated[tyro.conf.Positional[Path], about])
    if not paper.needs_data:
        optional = Annotated[tyro.conf.Positional[Path | None], about]
        data = ("data", optional, dataclasses.field(default=None))
    fields: list[Any] = [
        data,
        (
            "out",
            Annotated[Path | None, tyro.conf.arg(help=out_help)],
            dataclasses.field(default=None),
        ),
        (
            "config",
            Annotated[config_type, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=config_type),
        ),
    ]
    made = dataclasses.make_dataclass("ReproduceOptions", fields, frozen=True)
    made.__doc__ = f"Reproduce: {paper.title}."
    return made
