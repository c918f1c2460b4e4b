"""The set as files: the same from the same seed, split by room, resumed, never mixed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import InputError, RenderError
from sightline.records.pairs import PairSet, read_pair_set
from sightline.worlds import ROOMS
from sightline.worlds.materials import MATERIALS, paint_material
from sightline.worlds.rooms import RoomsConfig
from sightline.worlds.rooms import write as writing
from sightline.worlds.rooms.write import write_rooms

pytestmark = pytest.mark.egl


def _content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def _stamps(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("*.jpg")}


def test_the_number_of_processes_changes_no_byte(
    tmp_path: Path, room_pairs: PairSet, rooms_config: RoomsConfig
):
    seen: list[float] = []
    again = write_rooms(
        tmp_path / "set", rooms_config, lambda _, part: seen.append(part), processes=2
    )
    assert _content(again.root) == _content(room_pairs.root)
    assert seen == sorted(seen)
    assert seen[0] == 0
    assert seen[-1] == 1
    assert len(seen) == rooms_config.rooms + 2


def test_another_seed_gives_other_pictures(
    tmp_path: Path, room_pairs: PairSet, rooms_config: RoomsConfig
):
    other = write_rooms(tmp_path / "set", replace(rooms_config, rooms=1, seed=4), processes=1)
    before = {p.read_bytes() for p in room_pairs.root.rglob("*.jpg")}
    assert not before & {p.read_bytes() for p in other.root.rglob("*.jpg")}


def test_what_was_written_is_what_is_read(room_pairs: PairSet):
    there = read_pair_set(room_pairs.root)
    assert (there.name, there.unit, len(there)) == ("rooms", "m", len(room_pairs))
    for a, b in zip(there.pairs, room_pairs.pairs, strict=True):
        assert (a.image_a, a.image_b, a.scene, a.split) == (b.image_a, b.image_b, b.scene, b.split)
        assert a.overlap == b.overlap
        assert a.b_from_a is not None
        assert b.b_from_a is not None
        np.testing.assert_allclose(a.b_from_a.matrix, b.b_from_a.matrix, atol=1e-7)


def test_pairs_are_as_asked_for(room_pairs: PairSet, rooms_config: RoomsConfig):
    names = [pair.scene for pair in room_pairs.pairs]
    assert max(names.count(name) for name in set(names)) == rooms_config.pairs_per_room
    for pair in room_pairs.pairs:
        assert pair.overlap is not None
        assert rooms_config.min_overlap <= pair.overlap <= rooms_config.max_overlap
        assert pair.image_a.parent == pair.image_b.parent
        assert pair.image_a.parent.name == pair.scene
    unordered = {frozenset((p.image_a, p.image_b)) for p in room_pairs.pairs}
    assert len(unordered) == len(room_pairs)
    first = [pair.image_a < pair.image_b for pair in room_pairs.pairs]
    assert 0.2 < np.mean(first) < 0.8


def test_a_room_is_in_one_split_and_both_kinds_are_in_each(room_pairs: PairSet):
    splits: dict[str, set[str]] = {}
    for pair in room_pairs.pairs:
        splits.setdefault(pair.scene, set()).add(pair.split)
    assert all(len(s) == 1 for s in splits.values())
    for split in ("train", "validation", "test"):
        kinds = {name.split("_")[0] for name, s in splits.items() if s == {split}}
        assert kinds == {"room", "object"}


def test_the_default_set_has_the_shares_of_its_config():
    splits = writing.split_of(RoomsConfig())
    assert {s: splits.count(s) for s in set(splits)} == {
        "train": 180, "validation": 24, "test": 36,
    }  # fmt: skip


def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, room_pairs: PairSet, rooms_config: RoomsConfig
):
    root = tmp_path / "set"
    # Not guarded by __name__: such scripts have to work too.
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from sightline.worlds.rooms import RoomsConfig\n"
        "from sightline.worlds.rooms.write import write_rooms\n"
        f"write_rooms(Path({str(root)!r}), RoomsConfig(**{asdict(rooms_config)!r}), processes=2)\n"
    )
    with subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL) as run:
        until = time.monotonic() + 30
        while not list(root.glob("images/*/views.json")) and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(run.pid, signal.SIGKILL)
    # The workers end after the scene at hand.
    time.sleep(1.0)
    before = _stamps(root)
    finished = {name for name in before if (root / name).parent.joinpath("views.json").is_file()}
    assert finished
    assert not (root / "pairs.csv").exists()
    leftover = root / "images" / ".room_0004.1-abc.tmp"
    leftover.mkdir(exist_ok=True)
    write_rooms(root, rooms_config, processes=1)
    after = _stamps(root)
    assert {name: after[name] for name in finished} == {name: before[name] for name in finished}
    assert _content(root) == _content(room_pairs.root)
    assert not leftover.exists()


@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupt_is_passed_on_and_what_is_done_stays(
    tmp_path: Path, room_pairs: PairSet, rooms_config: RoomsConfig, processes: int
):
    def interrupt(_: str, part: float) -> None:
        if part > 0.3:
            raise KeyboardInterrupt

    root = tmp_path / "set"
    with pytest.raises(KeyboardInterrupt):
        write_rooms(root, rooms_config, interrupt, processes=processes)
    done = _stamps(root)
    assert len(done) >= 2 * rooms_config.views_per_room
    assert not list((root / "images").glob(".*"))
    write_rooms(root, rooms_config, processes=1)
    assert _stamps(root).items() >= done.items()
    assert _content(root) == _content(room_pairs.root)


def test_a_written_set_is_left_as_it_is(
    room_pairs: PairSet, rooms_config: RoomsConfig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(writing, "render_all")
    before = _stamps(room_pairs.root)
    assert len(write_rooms(room_pairs.root, rooms_config)) == len(room_pairs)
    assert _stamps(room_pairs.root) == before


def test_another_config_in_the_folder_is_refused(room_pairs: PairSet, rooms_config: RoomsConfig):
    before = _content(room_pairs.root)
    with pytest.raises(InputError, match=r"another config \(seed 3 there, 5 wanted\)"):
        write_rooms(room_pairs.root, replace(rooms_config, seed=5))
    assert _content(room_pairs.root) == before


def test_a_folder_with_other_things_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other things"):
        write_rooms(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_process_that_dies_is_an_error(
    tmp_path: Path, rooms_config: RoomsConfig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "executable", shutil.which("true"))
    with pytest.raises(RenderError, match="run again to go on"):
        write_rooms(tmp_path / "set", rooms_config, processes=2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "seed"),
        ({"rooms": 0}, "one room or more"),
        ({"views_per_room": 1}, "two views"),
        ({"fov_deg": 170.0}, "field of view"),
        ({"min_overlap": 0.9, "max_overlap": 0.2}, "overlap"),
        ({"validation_share": 0.6, "test_share": 0.4}, "leave some rooms"),
    ],
)
def test_a_config_nobody_can_render_is_refused(change: dict[str, float], words: str):
    with pytest.raises(InputError, match=words):
        RoomsConfig(**change)


def test_the_world_is_named_as_it_is():
    assert ROOMS.load("config") is RoomsConfig
    assert ROOMS.load("write") is write_rooms


def test_config_loads_no_renderer_and_no_torch():
    command = (
        "import sys, sightline.worlds.rooms.config;"
        "print([m for m in ('torch', 'moderngl') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True)
    assert done.stdout.decode().strip() == "[]"


@pytest.mark.parametrize("kind", sorted(MATERIALS))
def test_materials_have_detail_and_differ(kind: str):
    first, second = (paint_material(kind, np.random.default_rng(k)) for k in (0, 1))
    detail = np.abs(np.diff(first.astype(float), axis=1)).mean()
    assert (detail < 0.3) if kind == "plain" else (detail > 1)
    assert np.abs(first.astype(float) - second).mean() > 5


def test_an_unknown_material_is_named():
    with pytest.raises(InputError, match="'gold' came"):
        paint_material("gold", np.random.default_rng(0))
