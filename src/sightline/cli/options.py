"""Command-line options from typed dataclasses: default < TOML file < flag."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import tyro

from sightline.errors import InputError

T = TypeVar("T")


def parse(
    options: type[T], arguments: Sequence[str], *, command: str, default: T | None = None
) -> T:
    """Return the options of a command line; a wrong one prints what is wanted and exits with 2."""
    prog = f"sightline {command}"
    if default is None:
        return tyro.cli(options, args=list(arguments), prog=prog)
    return tyro.cli(options, args=list(arguments), prog=prog, default=default)


def take_config_file(arguments: Sequence[str]) -> tuple[Path | None, list[str]]:
    """Return the value of ``--config FILE`` and the arguments without it."""
    rest = list(arguments)
    for i, argument in enumerate(rest):
        if argument == "--config":
            if i + 1 == len(rest):
                raise InputError("a TOML file is wanted after --config, nothing came")
            return Path(rest[i + 1]), rest[:i] + rest[i + 2 :]
        if argument.startswith("--config="):
            return Path(argument.split("=", 1)[1]), rest[:i] + rest[i + 1 :]
    return None, rest


def take_task(arguments: Sequence[str], command: str, rest: str) -> tuple[str, list[str]]:
    """Return the task's name and the arguments after it."""
    from sightline.catalog import TASKS

    return take_name(arguments, command, "task", TASKS.names(), rest)


def take_name(
    arguments: Sequence[str], command: str, kind: str, names: Sequence[str], rest: str
) -> tuple[str, list[str]]:
    """Return the name a command line begins with and the arguments after it; print help on request.

    Args:
        arguments: After the command.
        command: Its name.
        kind: What the names stand for, such as ``task``.
        names: Those there are, for the help; whether the one given is among them is not asked.
        rest: What comes after the name, for the help.

    Raises:
        InputError: There is no name.
    """
    usage = f"sightline {command} {kind.upper()} {rest}"
    if not arguments:
        raise InputError(f"a {kind} of {', '.join(names)} is wanted: `{usage}`")
    if arguments[0] in ("-h", "--help"):
        sys.stdout.write(f"usage: {usage}\n\n{kind}s: {', '.join(names)}\n")
        raise SystemExit(0)
    return arguments[0], list(arguments[1:])
