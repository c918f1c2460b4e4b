"""A process that renders scenes: indices come line by line, each is answered when it is done.

It ends when its input ends, so also when the process that started it is gone.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from sightline.errors import SightlineError
from sightline.worlds.rooms.config import RoomsConfig


def main() -> None:
    """Serve standard input: the first line is the job, the others are indices."""
    # Ctrl-C in a terminal reaches the whole group; the parent decides when to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from sightline.worlds.rooms.render import render_room

    job = json.loads(sys.stdin.readline())
    images, config = Path(job["images"]), RoomsConfig(**job["config"])
    for line in sys.stdin:
        try:
            render_room(images, config, int(line))
            answer = {"error": "", "kind": ""}
        except SightlineError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
