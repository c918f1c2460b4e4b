"""``sightline doctor``."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from sightline.cli.options import parse
from sightline.cli.progress import progress_bar
from sightline.errors import InputError
from sightline.records import Place


@dataclass(frozen=True)
class DoctorOptions:
    """Say what is well and ill with a place, and the command that mends it; changes nothing.

    Exits with 0 where nothing is worse than a note, with 3 for warnings and with 1 for problems
    (2: the place could not be looked at).
    """

    place: tyro.conf.Positional[Path]
    """A place: built, half-built or imported."""
    html: Path | None = None
    """Also write a page with pictures, FILE.html, that opens offline."""
    json: tyro.conf.FlagCreatePairsOff[bool] = False
    """Print one JSON object, with the figures of every frame."""
    json_file: Path | None = None
    """Also write that JSON object into a file."""


def run(arguments: Sequence[str]) -> int:
    """Run the command; exits with 3 for warnings and with 1 for problems."""
    options = parse(DoctorOptions, arguments, command="doctor")
    if options.html is not None and options.html.is_dir():
        raise InputError(f"a file for the page is wanted for --html, {options.html} is a folder")
    place = Place.open(options.place)
    from sightline.app.doctor import diagnose, examine_place
    from sightline.app.doctor.page import write_page
    from sightline.app.doctor.text import text_of
    from sightline.records.files import write_json

    with progress_bar() as progress:
        diagnosis = diagnose(examine_place(place, progress))
    if options.json:
        print(json.dumps(diagnosis.to_json(), allow_nan=False))
    else:
        print(text_of(diagnosis, shutil.get_terminal_size((100, 24)).columns))
    if options.json_file is not None:
        write_json(options.json_file, diagnosis.to_json())
    if options.html is not None:
        print(f"report: {write_page(diagnosis, options.html)}", file=sys.stderr)
    return diagnosis.exit_code
