"""The ``sightline`` command: finds the subcommand, runs it, and says failures in one line."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence

from sightline import __version__
from sightline.errors import SightlineError

#: Name -> (module under cli.commands, what it does). Modules are imported when called.
COMMANDS = {
    "build": ("build", "a video or a folder of photos becomes a place"),
    "import": ("import_dataset", "a public dataset's folder becomes a place, or images with depth"),
    "align": ("align", "put a place into metres and onto its floor plan"),
    "extend": ("extend", "add another recording to a place's map"),
    "split": ("split", "divide a place's frames into train, validation and test"),
    "label": ("label", "let other networks make the labels that a task trains on"),
    "train": ("train", "train a task's network"),
    "evaluate": ("evaluate", "score a run from its saved predictions"),
    "calibrate": ("calibrate", "learn how far a place's answers are to be trusted"),
    "localize": ("localize", "say where photos or a video were taken"),
    "relate": ("relate", "say how one photo's camera stands to another's"),
    "predict": ("predict", "say what photos show, by a task's network"),
    "recommend": ("recommend", "find the lowest quality of pictures that keeps a model's answers"),
    "serve": ("serve", "serve a place: API and dashboard"),
    "export": ("export", "write a place as COLMAP, TUM or CSV files, a network as ONNX"),
    "doctor": ("doctor", "say what went well and ill in a reconstruction"),
    "reproduce": ("reproduce", "a paper's tables and figures, measured on your data"),
    "render": ("render", "render a world with exact truth, to learn and to measure on"),
    "demo": ("demo", "render a building and do everything on it"),
    "catalog": ("catalog", "list tasks, datasets and worlds"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0, 2 for a user's error, 130 for Ctrl-C)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        # A file's name may hold what the terminal's encoding cannot; no answer is lost for that.
        sys.stdout.reconfigure(errors="backslashreplace")
    if not arguments or arguments[0] in ("-h", "--help"):
        sys.stdout.write(_overview())
        return 0 if arguments else 2
    if arguments[0] in ("-V", "--version"):
        sys.stdout.write(f"sightline {__version__}\n")
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        return _fail(f"a command of {', '.join(COMMANDS)} is wanted, {name!r} came")
    try:
        module = importlib.import_module(f"sightline.cli.commands.{COMMANDS[name][0]}")
        return int(module.run(rest) or 0)
    except SightlineError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        sys.stderr.write(
            "\ninterrupted: finished stages are kept, the same command goes on from there\n"
        )
        return 130
    except BrokenPipeError:
        # The reader of our output left (`| head`): point stdout at nothing, so that exit is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        return _fail(_os_error(error))


def _os_error(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return (
            f"the disk is full{where}: free some space and run the same command again; "
            "finished stages are kept"
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"no permission to write{where}: choose another folder or change its rights"
    return f"{error.strerror or error}{where}"


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return 2


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items()]
    return (
        "usage: sightline COMMAND ...\n\n"
        "Images into geometry: where a camera stood, and how it moved.\n\n"
        + "\n".join(lines)
        + "\n\n`sightline COMMAND --help` says more; `sightline --version` says which.\n"
    )


if __name__ == "__main__":
    sys.exit(main())
