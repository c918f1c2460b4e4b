"""A rendered pair set as files: scene by scene, by several processes, resumable."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from sightline import errors
from sightline.errors import InputError, RenderError
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.records.files import digest, locked_folder, read_toml, write_toml
from sightline.records.pairs import (
    PAIRS_CSV,
    ImagePair,
    PairSet,
    read_pair_set,
    write_pair_set,
)
from sightline.worlds.rooms.config import RoomsConfig
from sightline.worlds.rooms.render import VIEWS_JSON, render_room, room_name, view_name

Progress = Callable[[str, float], None]

ROOMS_TOML = "rooms.toml"
_FORMAT = 2
#: Fewer scenes than this are rendered here: starting a process takes longer than a scene.
_ALONE = 4
_MOST_PROCESSES = 16


def write_rooms(
    root: Path,
    config: RoomsConfig = RoomsConfig(),  # noqa: B008  (frozen)
    progress: Progress | None = None,
    *,
    processes: int | None = None,
) -> PairSet:
    """Render a pair set into a folder and return it.

    Killed at any point, the same call goes on: scenes that are there are not rendered again. What
    is written depends on the config alone, not on the number of processes.

    Args:
        root: A new or empty folder, or one of the same config.
        config: What to render.
        progress: Called with a stage's name and the fraction done, 0 to 1.
        processes: How many render; one a CPU core where None.

    Raises:
        InputError: The folder holds other things, or was made from another config.
        RenderError: There is no EGL.
    """
    root = Path(root)
    report = progress or (lambda stage, fraction: None)
    _claim(root, config)
    with locked_folder(root):
        images = root / "images"
        missing = _missing(images, config)
        if not missing and (root / PAIRS_CSV).is_file():
            report("rooms are there", 1.0)
            return read_pair_set(root)
        done = config.rooms - len(missing)
        report("rendering rooms", done / config.rooms)
        # Closed here, so that no process renders on when the lock is given back.
        with contextlib.closing(_render_all(images, config, missing, processes)) as rendering:
            for finished in rendering:
                report("rendering rooms", (done + finished) / config.rooms)
        pairs = collect_pairs(root, config)
        write_pair_set(pairs)
    report("rooms are written", 1.0)
    return pairs


def _claim(root: Path, config: RoomsConfig) -> None:
    """Mark a new or empty folder as this config's, or see that it is."""
    made_from, marker = digest(_FORMAT, asdict(config)), root / ROOMS_TOML
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        if not marker.is_file():
            raise InputError(
                f"a new or empty folder is wanted, {root} holds other things; choose another "
                "(nothing was changed)"
            )
        there = read_toml(marker)
        if there.get("digest") != made_from:
            raise InputError(
                f"{root} holds rooms of another config ({_differences(there, config)}); choose "
                "another folder, or the same config to go on (nothing was changed)"
            )
        return
    write_toml(marker, {"digest": made_from, "config": asdict(config)})


def _differences(there: dict[str, Any], config: RoomsConfig) -> str:
    old = there.get("config", {})
    differ = [
        f"{name} {old.get(name)} there, {value} wanted"
        for name, value in asdict(config).items()
        if old.get(name) != value
    ]
    return "; ".join(differ) or "written by another version"


def _missing(images: Path, config: RoomsConfig) -> list[int]:
    """Return the scenes still to be rendered; what a killed run left half done is removed."""
    if images.is_dir():
        for leftover in images.glob(".*.tmp"):
            shutil.rmtree(leftover)
    return [k for k in range(config.rooms) if not (images / room_name(k) / VIEWS_JSON).is_file()]


def _render_all(
    images: Path, config: RoomsConfig, missing: list[int], processes: int | None
) -> Generator[int]:
    """Render scenes and yield how many are done."""
    wanted = min(os.cpu_count() or 1, _MOST_PROCESSES) if processes is None else processes
    if wanted <= 1 or len(missing) < _ALONE:
        for finished, index in enumerate(missing, start=1):
            render_room(images, config, index)
            yield finished
        return
    crew, wanted = _Crew(images, config, missing), min(wanted, len(missing))
    with ThreadPoolExecutor(wanted) as pool:
        futures = [pool.submit(crew.work) for _ in range(wanted)]
        try:
            done = 0
            while done < len(missing) and not any(f.done() and f.exception() for f in futures):
                if crew.finished.acquire(timeout=0.2):
                    done += 1
                    yield done
        finally:
            crew.stop()
        for future in futures:
            future.result()


class _Crew:
    """Threads that each lead a process and take the next scene when it is free.

    The processes have their own main module, so that a script without a main guard works too.
    """

    def __init__(self, images: Path, config: RoomsConfig, missing: list[int]) -> None:
        self.finished = threading.Semaphore(0)
        self._images, self._config = images, config
        self._todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in missing:
            self._todo.put(index)
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Begin no scene any more; those at hand are finished."""
        self._stopped.set()

    def work(self) -> None:
        """Lead one process until all is done."""
        with _worker(self._images, self._config) as worker:
            while not self._stopped.is_set():
                try:
                    index = self._todo.get_nowait()
                except queue.Empty:
                    return
                _ask(worker, index)
                self.finished.release()


@contextlib.contextmanager
def _worker(images: Path, config: RoomsConfig) -> Iterator[subprocess.Popen[str]]:
    # One thread a process: Mesa's software renderer would start one a core in each.
    environment = os.environ | {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "sightline.worlds.rooms.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    try:
        job = {"images": str(images.resolve()), "config": asdict(config)}
        _pipes(worker)[0].write(json.dumps(job) + "\n")
        yield worker
    finally:
        # Its input ends, and so does it, after the scene at hand.
        worker.communicate()


def _pipes(worker: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if worker.stdin is None or worker.stdout is None:
        raise RenderError("pipes to a process that renders are wanted, there are none")
    return worker.stdin, worker.stdout


def _ask(worker: subprocess.Popen[str], index: int) -> None:
    requests, answers = _pipes(worker)
    try:
        requests.write(f"{index}\n")
        requests.flush()
        line = answers.readline()
    except BrokenPipeError:
        line = ""
    if not line:
        raise RenderError(
            f"scene {index} is wanted, the process that renders it ended (its words are above); "
            "run again to go on, with `processes=1` to see the error here"
        )
    answer = json.loads(line)
    if answer["error"]:
        kind: type[errors.SightlineError] = getattr(errors, answer["kind"], RenderError)
        raise kind(answer["error"])


def split_of(config: RoomsConfig) -> list[str]:
    """Return each scene's split; both kinds of scene have the same shares of each."""
    splits = ["train"] * config.rooms
    for kind in (0, 1):
        rooms = np.arange(kind, config.rooms, 2)
        order = np.random.default_rng([config.seed, kind, 2]).permutation(rooms)
        validation = round(config.validation_share * len(rooms))
        test = round(config.test_share * len(rooms))
        for index in order[:validation]:
            splits[index] = "validation"
        for index in order[validation : validation + test]:
            splits[index] = "test"
    return splits


def collect_pairs(root: Path, config: RoomsConfig) -> PairSet:
    """Return the pairs of scenes that are rendered, in the scenes' order."""
    camera, pairs = config.camera, []
    for index, split in enumerate(split_of(config)):
        name = room_name(index)
        folder = Path("images") / name
        content = json.loads((root / folder / VIEWS_JSON).read_text(encoding="utf-8"))
        poses = Pose(np.array(content["q_wxyz"]), np.array(content["centres"]))
        for a, b, overlap in content["pairs"]:
            b_from_a = relative_pose(poses[b], poses[a])
            pairs.append(
                ImagePair(
                    folder / view_name(a),
                    folder / view_name(b),
                    b_from_a,
                    camera,
                    camera,
                    name,
                    split,
                    overlap,
                )
            )
    return PairSet("rooms", root, tuple(pairs), "m", f"rendered, seed {config.seed}")
