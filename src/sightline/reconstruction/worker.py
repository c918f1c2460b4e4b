"""The process that runs COLMAP: one JSON request in, JSON lines out.

``python -m sightline.reconstruction.worker COMMAND`` reads one line from standard input and writes
lines ``{"text", "progress"}`` and at last ``{"result"}`` or ``{"error"}``. It ends when its
parent does: a parent that is killed leaves no orphan.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import IO, Any

from sightline.errors import SightlineError
from sightline.reconstruction import stages

_PR_SET_PDEATHSIG = 1

Command = Callable[[dict[str, Any], stages.Report], Any]


def _build_map(request: dict[str, Any], report: stages.Report) -> dict[str, Any]:
    from sightline.reconstruction.mapping import build_map

    return build_map(request, report)


def _close_loops(request: dict[str, Any], report: stages.Report) -> dict[str, Any]:
    from sightline.reconstruction.loops import close_loops

    return close_loops(request, report)


def _drop_masked(request: dict[str, Any], report: stages.Report) -> dict[str, Any]:
    from sightline.reconstruction.masking import drop_masked

    return drop_masked(request, report)


def _register_frames(request: dict[str, Any], report: stages.Report) -> dict[str, Any]:
    from sightline.reconstruction.registration import register_frames

    return register_frames(request, report)


COMMANDS: dict[str, Command] = {
    "features": stages.extract_features,
    "mask": _drop_masked,
    "matches": stages.match_pairs,
    "map": _build_map,
    "loops": _close_loops,
    "register": _register_frames,
    "inspect": stages.inspect_database,
    "dense": stages.densify,
}


def main() -> int:
    """Serve one request."""
    answers = _private_stdout()
    lock = threading.Lock()

    def say(message: dict[str, Any]) -> None:
        with lock:
            answers.write(json.dumps(message, allow_nan=False) + "\n")
            answers.flush()

    def report(text: str, fraction: float) -> None:
        say({"text": text, "progress": round(min(max(fraction, 0.0), 1.0), 4)})

    _die_with_parent()
    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_die_at_end_of_input, daemon=True).start()
    try:
        say({"result": COMMANDS[sys.argv[1]](request, report)})
    except SightlineError as error:
        say({"error": str(error)})
        return 1
    except (OSError, ValueError, RuntimeError) as error:
        # COLMAP throws its own reasons as ValueError or RuntimeError.
        reason = " ".join(str(error).split()) or type(error).__name__
        say({"error": f"COLMAP failed in the stage {sys.argv[1]!r}: {reason}"})
        return 1
    return 0


def _private_stdout() -> IO[str]:
    """Return the pipe to the parent; whatever C++ code prints to stdout goes to the log."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return pipe


def _die_with_parent() -> None:
    """Ask the kernel to end this process with its parent, where it can (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _die_at_end_of_input() -> None:
    """End this process when the parent is gone: elsewhere, and where it went before we asked.

    This needs Python's lock, which COLMAP holds for seconds; the kernel does not wait for it.
    """
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
