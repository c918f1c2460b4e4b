"""The objects as files: read back as written, the same from one seed, split by shape, resumed."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import loadmat

from sightline.datasets.objects import open_objects
from sightline.errors import InputError
from sightline.geometry.viewpoint import cam_from_object
from sightline.records.objects import CATEGORIES, ObjectSet
from sightline.records.pascal3d import read_annotation
from sightline.records.rendered_views import FOLDER
from sightline.worlds import OBJECTS, folders
from sightline.worlds.objects import ObjectsWorldConfig
from sightline.worlds.objects import write as writing
from sightline.worlds.objects.catalogue import build_object
from sightline.worlds.objects.render import all_shapes
from sightline.worlds.objects.write import write_objects

pytestmark = pytest.mark.egl


def _content(root: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(root)): b"" if p.suffix == ".mat" else p.read_bytes()
        for p in root.rglob("*")
        if p.is_file()
    }


def _annotations(root: Path) -> dict[str, object]:
    return {p.stem: read_annotation(p) for p in root.rglob("*.mat")}


def _stamps(root: Path) -> dict[str, int]:
    return {str(p.relative_to(root)): p.stat().st_mtime_ns for p in root.rglob("Images/*/*")}


def _boxes(data: ObjectSet) -> np.ndarray:
    return np.array([view.box for view in data.views])


def test_the_set_is_what_its_readers_read(small_set: ObjectSet):
    there = open_objects(small_set.root)
    assert there.categories == small_set.categories == tuple(CATEGORIES)
    assert there.views == small_set.views
    assert there.left_out == ()
    assert small_set.splits() == {"train": 24, "validation": 24, "test": 24}
    for split in ("train", "validation", "test"):
        assert small_set.counts(split) == dict.fromkeys(CATEGORIES, 2)


def test_pictures_are_as_large_as_asked_and_boxes_lie_in_them(small_set: ObjectSet):
    for view in small_set.views:
        picture = cv2.imread(str(small_set.path(view)))
        assert picture.shape == (64, 64, 3)
        assert picture.std() > 3
    boxes = _boxes(small_set)
    assert boxes.min() >= 0
    assert boxes.max() <= 64
    sides = boxes[:, 2:] - boxes[:, :2]
    assert ((sides.max(axis=1) > 0.45 * 64) & (sides.max(axis=1) < 0.92 * 64)).all()


def test_splits_never_cut_through_a_shape(small_set: ObjectSet):
    splits: dict[str, set[str]] = {}
    for view in small_set.views:
        splits.setdefault(view.source, set()).add(view.split)
        assert view.image.name.startswith(view.source)
        half = "imagenet" if view.split == "train" else "pascal"
        assert view.image.parent.name == f"{view.category}_{half}"
        assert view.image.suffix == (".JPEG" if half == "imagenet" else ".jpg")
    assert len(splits) == 36
    assert all(len(s) == 1 for s in splits.values())
    numbers = {name: o.objects[0].cad_index - 1 for name, o in _annotations(small_set.root).items()}
    assert all(int(name.split("_")[1]) == number for name, number in numbers.items())


def test_the_default_set_is_of_20_000_pictures_and_new_shapes_are_tested():
    config = ObjectsWorldConfig()
    shapes = all_shapes(config)
    assert len({shape.name for shape in shapes}) == len(shapes)
    assert 20_000 <= len(shapes) * config.views_per_instance <= 20_500
    for category in CATEGORIES:
        splits = [shape.split for shape in shapes if shape.category == category]
        counts = {s: splits.count(s) for s in set(splits)}
        assert counts == {"train": 112, "validation": 8, "test": 20}


def test_annotations_are_matlab_structs_as_the_toolkit_reads_them(small_set: ObjectSet):
    view = small_set.views[0]
    path = small_set.root / "Annotations" / view.image.parent.name / f"{view.image.stem}.mat"
    record = loadmat(path, squeeze_me=True, struct_as_record=False)["record"]
    seen = record.objects.viewpoint
    turn = cam_from_object(*np.radians([seen.azimuth, seen.elevation, seen.theta]))
    np.testing.assert_allclose(turn, view.cam_from_object, atol=1e-12)
    np.testing.assert_allclose(record.objects.bbox - [1, 1, 0, 0], view.box)
    assert record.filename == view.image.name
    assert seen.focal * seen.viewport == pytest.approx(view.focal_px)
    assert getattr(record.objects, "class") == view.category
    assert (record.objects.truncated, record.objects.occluded, record.objects.difficult) == (0,) * 3
    assert 2.5 <= seen.distance <= 8
    assert 0 < seen.px < 64
    assert 0 < seen.py < 64


def _project_3d(points: np.ndarray, seen: object) -> np.ndarray:
    """Return MATLAB pixels by the toolkit's project_3d.m, written down once more."""
    a, e, t = np.radians([seen.azimuth, seen.elevation, seen.theta])
    d, f = seen.distance, seen.focal * seen.viewport
    centre = d * np.array([np.cos(e) * np.sin(a), -np.cos(e) * np.cos(a), np.sin(e)])
    a, e = -a, -(np.pi / 2 - e)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    lift = np.array([[1, 0, 0], [0, np.cos(e), -np.sin(e)], [0, np.sin(e), np.cos(e)]])
    x = (points - centre) @ (lift @ turn).T
    x = f * x[:, :2] / -x[:, 2:]
    x = x @ np.array([[np.cos(t), -np.sin(t)], [np.sin(t), np.cos(t)]]).T
    return x * [1, -1] + [seen.px, seen.py]


def test_the_toolkits_projection_of_the_model_fills_the_box(
    small_set: ObjectSet, small_config: ObjectsWorldConfig
):
    off = []
    for view in small_set.views[::2]:
        path = small_set.root / "Annotations" / view.image.parent.name / f"{view.image.stem}.mat"
        found = loadmat(path, squeeze_me=True, struct_as_record=False)["record"].objects
        model = build_object(small_config.seed, view.category, found.cad_index - 1)
        seen = _project_3d(model.vertices[:, :3].astype(np.float64), found.viewpoint)
        # A pixel's number is its middle: the box's edges are half a pixel further out.
        box = found.bbox + np.array([-0.5, -0.5, 0.5, 0.5])
        off.append(np.r_[seen.min(axis=0), seen.max(axis=0)] - box)
    assert np.abs(off).max() < 2
    assert np.abs(np.median(off, axis=0)).max() < 0.3


def test_renderings_are_named_by_their_angles_and_are_of_training_shapes(small_set: ObjectSet):
    data = open_objects(small_set.root / FOLDER)
    assert len(data) == 26
    training = {view.source for view in small_set.views if view.split == "train"}
    for view in data.views:
        found = re.search(r"_m(\d+)_a(\d+)_e(-?\d+)_t(-?\d+)_d\d+\.png$", view.image.name)
        assert found is not None
        number, *angles = (int(part) for part in found.groups())
        assert f"{view.category}_{number:04d}" in training
        np.testing.assert_allclose(view.cam_from_object, cam_from_object(*np.radians(angles)))
        # Cut to the object, whose longer side covers at least half of the whole picture.
        assert max(view.box[2:]) >= 32
        assert view.rendered
    assert set(data.counts("train").values()) == {2, 3}


def test_the_number_of_processes_changes_nothing(
    tmp_path: Path, small_set: ObjectSet, small_config: ObjectsWorldConfig
):
    seen: list[float] = []
    again = write_objects(
        tmp_path / "set", small_config, lambda _, part: seen.append(part), processes=2
    )
    assert _content(again.root) == _content(small_set.root)
    assert _annotations(again.root) == _annotations(small_set.root)
    assert again.views == small_set.views
    assert seen == sorted(seen)
    assert (seen[0], seen[-1], len(seen)) == (0, 1, 38)


def test_another_seed_gives_other_shapes_and_pictures(tmp_path: Path, small_set: ObjectSet):
    config = ObjectsWorldConfig(
        instances=1, views_per_instance=1, image_px=64, validation_share=0, test_share=0, seed=4
    )
    other = write_objects(tmp_path / "set", config, processes=1)
    before = {p.read_bytes() for p in small_set.root.rglob("Images/*/*")}
    assert not before & {p.read_bytes() for p in other.root.rglob("Images/*/*")}
    assert other.splits() == {"train": 12}
    assert open_objects(other.root).views == other.views


def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, small_set: ObjectSet, small_config: ObjectsWorldConfig
):
    root = tmp_path / "set"
    # Not guarded by __name__: such scripts have to work too.
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from sightline.worlds.objects import ObjectsWorldConfig\n"
        "from sightline.worlds.objects.write import write_objects\n"
        f"config = ObjectsWorldConfig(**{asdict(small_config)!r})\n"
        f"write_objects(Path({str(root)!r}), config, processes=2)\n"
    )
    with subprocess.Popen([sys.executable, script], stderr=subprocess.DEVNULL) as run:
        until = time.monotonic() + 30
        while len(list(root.glob("Shapes/*.json"))) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(run.pid, signal.SIGKILL)
    # The processes end after the shape at hand.
    time.sleep(1.0)
    finished = {p.stem for p in root.glob("Shapes/*.json")}
    assert 3 <= len(finished) < 36
    before = {name: t for name, t in _stamps(root).items() if Path(name).name[:-8] in finished}
    assert not list(root.rglob("*.txt"))
    # A shape whose pictures are there but whose marker is not is rendered again.
    lost = sorted(finished)[0]
    (root / "Shapes" / f"{lost}.json").unlink()
    (root / "Shapes" / ".half.json.1-abc.tmp.json").write_text("{")
    again = write_objects(root, small_config, processes=1)
    after = _stamps(root)
    kept = {name for name in before if lost not in name}
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    content = _content(root)
    content.pop("Shapes/.half.json.1-abc.tmp.json")
    assert content == _content(small_set.root)
    assert again.views == small_set.views


def test_a_written_set_is_left_as_it_is(
    small_set: ObjectSet, small_config: ObjectsWorldConfig, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delattr(writing, "render_all")
    before = _stamps(small_set.root)
    assert write_objects(small_set.root, small_config).views == small_set.views
    assert _stamps(small_set.root) == before


def test_another_config_in_the_folder_is_refused(
    small_set: ObjectSet, small_config: ObjectsWorldConfig
):
    before = _content(small_set.root)
    with pytest.raises(InputError, match=r"objects of another config \(seed 3 there, 5 wanted\)"):
        write_objects(small_set.root, replace(small_config, seed=5))
    assert _content(small_set.root) == before


def test_of_two_configs_at_once_in_a_new_folder_one_is_refused(
    tmp_path: Path, small_config: ObjectsWorldConfig, monkeypatch: pytest.MonkeyPatch
):
    both_found_it_empty = threading.Barrier(2)
    write_toml = folders.write_toml

    def late(path: Path, value: dict[str, object]) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):
            both_found_it_empty.wait(timeout=0.5)
        write_toml(path, value)

    def start(seed: int) -> str:
        try:
            write_objects(tmp_path / "set", replace(small_config, seed=seed))
        except InputError as error:
            return str(error)
        return ""

    monkeypatch.setattr(folders, "write_toml", late)
    monkeypatch.setattr(writing, "render_all", lambda *_: None)
    monkeypatch.setattr(writing, "collect_objects", lambda *_: small_config)
    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(start, (1, 2)))
    assert said[0] == ""
    assert "holds objects of another config" in said[1]


def test_what_a_process_killed_at_the_very_start_left_is_no_other_thing(
    tmp_path: Path, small_config: ObjectsWorldConfig, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".objects.toml.17-abcd.tmp.toml").write_text("dig")
    monkeypatch.setattr(writing, "render_all", lambda *_: None)
    monkeypatch.setattr(writing, "collect_objects", lambda *_: small_config)
    write_objects(tmp_path, small_config)
    assert (tmp_path / "objects.toml").is_file()


def test_a_folder_with_other_things_is_refused_and_kept(tmp_path: Path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="holds other things"):
        write_objects(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "a seed of 0 or more"),
        ({"instances": 0}, "one shape or more"),
        ({"views_per_instance": 0}, "one view or more"),
        ({"rendered_images": -1}, "0 rendered images or more"),
        ({"image_px": 8}, "32 to 1024 pixels are wanted, 8 came"),
        ({"validation_share": 0.6, "test_share": 0.4}, "leave some shapes"),
        ({"validation_share": -0.1}, "leave some shapes"),
        ({"noise": -1.0}, "noise of 0 or more"),
        # Names of whole degrees would run out, and the search for another one never end.
        ({"instances": 1, "rendered_images": 24_001}, "24000 rendered images or fewer"),
    ],
)
def test_a_config_nobody_can_render_is_refused(change: dict[str, float], words: str):
    with pytest.raises(InputError, match=words):
        ObjectsWorldConfig(**change)


def test_the_world_is_named_as_it_is():
    assert OBJECTS.load("config") is ObjectsWorldConfig
    assert OBJECTS.load("write") is write_objects


def test_config_loads_no_renderer_and_no_torch():
    command = (
        "import sys, sightline.worlds.objects.config;"
        "print([m for m in ('torch', 'moderngl', 'cv2') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", command], check=True, capture_output=True)
    assert done.stdout.decode().strip() == "[]"
