"""A process that renders: indices come line by line, each is answered when it is done.

It ends when its input ends, so also when the process that started it is gone.
"""

from __future__ import annotations

import json
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from sightline.errors import SightlineError


def main() -> None:
    """Serve standard input: the first line is the job (:class:`crew.Job`), the others indices."""
    # Ctrl-C in a terminal reaches the whole group; the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    job = json.loads(sys.stdin.readline())
    render, folder = _named(job["render"]), Path(job["folder"])
    # JSON knows no tuples, and a config's lists are tuples
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in job["values"].items()}
    config = _named(job["config"])(**values)
    for line in sys.stdin:
        try:
            render(folder, config, int(line))
            answer = {"error": "", "kind": ""}
        except SightlineError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _named(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


if __name__ == "__main__":
    main()
