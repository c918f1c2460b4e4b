"""``sightline predict``."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro

from sightline.catalog import TASKS
from sightline.cli.options import parse, take_task
from sightline.cli.progress import PictureCount
from sightline.errors import InputError
from sightline.learning.runs import CONFIG
from sightline.tasks import ClosingPredictor, LastWord, PhotoAnswers, Task

_SOURCES_HELP = (
    "Photos, folders of photos, or videos; before them the run folder of a network, where it is "
    "not to be the bundled one."
)
_OUT_HELP = (
    "Folder for the files: pictures of what was found, and what else the task writes. Without it "
    "depth goes to predicted-depth/, other tasks write none."
)
_INTERRUPTED = 130

_EVERY_HELP = "Of a video, take each N-th frame only."
_VIDEO_HELP = "Of a video, also write the pictures of what was found as NAME.mp4 (--out)."


def run(arguments: Sequence[str]) -> int:
    """Run the command: ``sightline predict TASK [RUN] PHOTO ... [flags]``.

    Exits with 1 where a photo of several has no answer.
    """
    name, rest = take_task(arguments, "predict", "[RUN] PHOTO ... [--json] [--out FOLDER] [flags]")
    task: Task = TASKS.load(name)
    if not task.predictor:
        able = [other for other in TASKS.names() if TASKS.load(other).predictor]
        raise InputError(f"a task of {', '.join(able)} is wanted, {name} says nothing of one photo")
    options: Any = parse(_options(task), rest, command=f"predict {name}")
    from sightline.app.predict import files_of, predict_photos

    network, sources = _split(options.sources)
    files = files_of(sources)  # before the network is read
    predictor = task.load("predictor")(network, options.task)
    out = options.out or predictor.default_out
    if options.video and out is None:
        raise InputError("a folder for the video is wanted: pass --out too")
    for note in predictor.notes:
        _say(f"note: {note}")
    results = predict_photos(predictor, sources, out, every=options.every, video=options.video)
    count = PictureCount(len(files))
    closing = predictor if isinstance(predictor, ClosingPredictor) else None
    stopped, kept = True, 0
    try:
        for result in results:
            count.clear()
            if result.answers is None:
                _say(f"error: {' '.join(result.error.split())}")
            else:
                if closing is not None:
                    closing.collect(result.answers)
                _print(result.answers, as_json=options.json)
            count.add(result.photo, good=result.answers is not None)
            kept += result.kept
        stopped = False
    except KeyboardInterrupt:
        pass
    finally:  # also where the reader of our output left, or a disk is full
        count.clear()
        if closing is not None:
            _print_last(closing.close(stopped=stopped), as_json=options.json)
    if predictor.default_out is not None or closing is not None or stopped:
        _say(_summary(count, kept, out, stopped))
    return _INTERRUPTED if stopped else int(count.failed > 0)


def _summary(count: PictureCount, kept: int, out: Path | None, stopped: bool) -> str:
    pictures = count.done + count.failed
    images = f"{pictures:,} image{'' if pictures == 1 else 's'}"
    done = "answered" if out is None else f"written to {out}"
    before = f"{kept:,} there already, " if kept else ""
    said = f"{images}: {count.done - kept:,} {done}, {before}{count.failed:,} failed"
    if not stopped:
        return said
    after = "goes on from there" if out is not None else "begins again"
    return f"interrupted after {said}; the same command {after}"


def _print(answers: PhotoAnswers, *, as_json: bool) -> None:
    for note in answers.notes:
        _say(f"note: {note}")
    rows = answers.rows() if as_json else []
    for line in map(json.dumps, rows) if as_json else answers.lines():
        print(line, flush=True)


def _print_last(last: LastWord, *, as_json: bool) -> None:
    for line in map(json.dumps, last.rows) if as_json else last.lines:
        print(line, flush=True)
    for note in last.notes:
        _say(f"note: {note}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _split(sources: tuple[Path, ...]) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the run folder that stands first, or None, and the photos."""
    if sources and (sources[0] / CONFIG).is_file():
        return sources[0], sources[1:]
    return None, sources


def _options(task: Task) -> Any:
    """Return the command's options with the task's own as flags."""
    own = task.load("options")
    sources = tyro.conf.Positional[tuple[Path, ...]]
    json_help = "Print one JSON object a line."
    fields: list[Any] = [
        ("sources", Annotated[sources, tyro.conf.arg(help=_SOURCES_HELP)]),
        (
            "json",
            Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(help=json_help)],
            dataclasses.field(default=False),
        ),
        (
            "out",
            Annotated[Path | None, tyro.conf.arg(help=_OUT_HELP)],
            dataclasses.field(default=None),
        ),
        (
            "every",
            Annotated[int, tyro.conf.arg(help=_EVERY_HELP, metavar="N")],
            dataclasses.field(default=1),
        ),
        (
            "video",
            Annotated[tyro.conf.FlagCreatePairsOff[bool], tyro.conf.arg(help=_VIDEO_HELP)],
            dataclasses.field(default=False),
        ),
        (
            "task",
            Annotated[own, tyro.conf.arg(name="")],
            dataclasses.field(default_factory=own),
        ),
    ]
    made = dataclasses.make_dataclass("PredictOptions", fields, frozen=True)
    made.__doc__ = f"Predict: {task.summary}."
    return made
