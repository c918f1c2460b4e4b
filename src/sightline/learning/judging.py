"""Runs judged on sets: every run on every set, resumable, under names that tell them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sightline.errors import InputError
from sightline.learning.runs import CONFIG, WEIGHTS, is_run, read_run_table
from sightline.records.files import locked_folder, write_json

Progress = Callable[[str, float], None]

METRICS = "metrics.json"


class JudgedSet(Protocol):
    """What is known of any set."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def root(self) -> Path:
        """Where it lies."""


class Judgement(Protocol):
    """What a run said of a set."""

    @property
    def run(self) -> str:
        """The run's name."""

    @property
    def name(self) -> str:
        """The set's name."""


S = TypeVar("S", bound=JudgedSet)
J = TypeVar("J", bound=Judgement)


def judge_all(
    runs: Sequence[tuple[str, Path]],
    sets: Sequence[tuple[str, S]],
    judge: Callable[[str, Path, str, S, Progress], J],
    out: Path,
    progress: Progress,
) -> list[J]:
    """Return what ``judge`` says of every run on every set, the sets of the first run first.

    Args:
        runs: Names and folders.
        sets: Names and sets.
        judge: Called with a run's name and folder, a set's name and the set, and its progress.
        out: Folder of the results, locked meanwhile.
        progress: Called with a stage text and the fraction done.
    """
    out.mkdir(parents=True, exist_ok=True)
    made: list[J] = []
    total = len(runs) * len(sets)
    with locked_folder(out):
        for run_name, run in runs:
            for set_name, data in sets:
                done = len(made)

                def part(stage: str, fraction: float, done: int = done) -> None:
                    progress(stage, (done + fraction) / total)

                made.append(judge(run_name, run, set_name, data, part))
    return made


def write_judged(
    judged: Sequence[J],
    tables: Sequence[dict[str, Any]],
    out: Path,
    split: str,
    write_table: Callable[[Path, dict[str, Any]], object],
    write_report: Callable[[J, dict[str, Any]], object],
    progress: Progress,
) -> dict[str, Any]:
    """Write ``metrics.json``, the table, and a report of each run on each set; return the metrics.

    Args:
        judged: What was said.
        tables: The scores of each.
        out: Folder of the results.
        split: What was judged of each set.
        write_table: Writes the table of all of them into ``out``.
        write_report: Writes the report of one.
        progress: Called with a stage text and the fraction done.

    Returns:
        ``folder``, ``split`` and ``judged`` (the tables).
    """
    metrics: dict[str, Any] = {"folder": str(out), "split": split, "judged": list(tables)}
    with locked_folder(out):
        write_json(out / METRICS, metrics)
        write_table(out, metrics)
        for one, table in zip(judged, tables, strict=True):
            progress(f"report of {one.run} on {one.name}", 1.0)
            write_report(one, table)
    progress("scored", 1.0)
    return metrics


def named_runs(runs: Sequence[Path], task: str) -> list[tuple[str, Path]]:
    """Return finished runs under names that tell them apart.

    Raises:
        InputError: There is none, one has not ended, or one is there twice.
    """
    if not runs:
        raise InputError("a run folder to judge is wanted, none came")
    for run in runs:
        if not is_run(run):
            raise InputError(
                f"{run}: a finished run is wanted ({CONFIG} and {WEIGHTS}), it has not both; "
                f"`sightline train {task}` makes one"
            )
    said = [str(read_run_table(run).get("name", run.resolve().name)) for run in runs]
    return list(zip(told_apart(list(zip(said, runs, strict=True)), "run"), runs, strict=True))


def named_sets(sets: Sequence[S], what: str) -> list[tuple[str, S]]:
    """Return sets under names that tell them apart.

    Args:
        sets: One or more.
        what: A set is called in errors.

    Raises:
        InputError: One is there twice.
    """
    names = told_apart([(data.name, data.root) for data in sets], what)
    return list(zip(names, sets, strict=True))


def told_apart(named: Sequence[tuple[str, Path]], what: str) -> list[str]:
    """Return names that tell runs or sets apart: by their folders where two have one name.

    Raises:
        InputError: One is there twice.
    """
    counts = Counter(name for name, _ in named)
    names = [name if counts[name] == 1 else f"{name} ({path})" for name, path in named]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"the {what} {twice[0]} is there twice; leave one out")
    return names
