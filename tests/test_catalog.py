"""Names: lazy, never twice, and the names there are when one is unknown."""

import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points

import pytest

from sightline import catalog
from sightline.catalog import Catalog
from sightline.datasets import seven_scenes
from sightline.errors import CatalogError


def make(*entries, group=None):
    return Catalog("dataset", entries, group=group)


def test_a_name_loads_what_it_stands_for():
    assert catalog.DATASETS.load("seven_scenes") is seven_scenes.make_place
    assert make(("a", "os:path.join")).load("a") is __import__("os").path.join


def test_every_dataset_of_ours_loads():
    for name in catalog.DATASETS.names():
        assert callable(catalog.DATASETS.load(name))
    assert catalog.DATASETS.names() == [
        "cambridge", "colmap", "nerfstudio", "nyuv2", "poses_json", "robotcar", "seven_scenes",
        "tum_rgbd",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["absolute", "depth", "objects", "relative", "utility"])
def test_every_part_of_a_task_loads(name):
    task = catalog.TASKS.load(name)
    assert task.name == name
    config = task.load("config")
    assert config() == config()
    for part in ("data", "train", "scoring", "evaluate", "table"):
        assert callable(task.load(part))
    assert catalog.TASKS.names() == ["absolute", "depth", "objects", "relative", "utility"]


def test_every_world_loads():
    for name in catalog.WORLDS.names():
        world = catalog.WORLDS.load(name)
        assert world.name == name
        assert callable(world.load("config"))
        assert callable(world.load("write"))
    assert catalog.WORLDS.names() == ["depth", "floor", "objects", "rooms"]


def test_the_papers_backbones_are_there():
    papers = {"googlenet", "resnet18", "resnet34", "resnet50", "resnet152", "efficientnet_b7"}
    assert papers < set(catalog.backbone_names())


def test_nothing_is_imported_before_it_is_used():
    code = (
        "import sys\n"
        "from sightline.catalog import DATASETS, TASKS\n"
        "TASKS.names(), DATASETS.target('seven_scenes')\n"
        "print([m for m in sys.modules if m.startswith(('torch', 'sightline.'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "['sightline.errors', 'sightline.catalog']"


def test_an_unknown_name_lists_the_names_there_are():
    some = make(("seven_scenes", "os:path"), ("tum_rgbd", "os:path"))
    with pytest.raises(CatalogError) as caught:
        some.load("seven_scene")
    assert str(caught.value) == (
        "no dataset is named 'seven_scene'. Did you mean 'seven_scenes'? "
        "There are: seven_scenes, tum_rgbd"
    )
    with pytest.raises(CatalogError, match=r"named 'zzz'\. There are: seven_scenes, tum_rgbd$"):
        some.load("zzz")
    with pytest.raises(CatalogError, match="There are: none"):
        make().load("zzz")


def test_a_name_that_is_there_twice_raises():
    twice = make(("a", "os:path"), ("b", "os:path"), ("a", "sys:path"))
    for use in (twice.names, lambda: twice.load("b"), lambda: twice.target("a")):
        with pytest.raises(CatalogError, match=r"one dataset named 'a'.*os:path.*sys:path.*a, b"):
            use()


@pytest.mark.parametrize("target", ["no_such_module_here:x", "os:no_such_attribute"])
def test_a_target_that_is_not_there_is_named(target):
    with pytest.raises(CatalogError, match=f"dataset 'a' \\({target}\\) does not load") as caught:
        make(("a", target)).load("a")
    assert isinstance(caught.value.__cause__, (ImportError, AttributeError))


def installed(folder, name, target):
    """A distribution's metadata, as pip leaves it in site-packages."""
    info = folder / "someones_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: someones-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sightline.datasets]\n{name} = {target}\n")


def test_another_package_brings_a_dataset_through_its_entry_point(tmp_path, monkeypatch):
    installed(tmp_path, "theirs", "their_dataset:make_place")
    (tmp_path / "their_dataset.py").write_text("def make_place(source, root):\n    return 'made'\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [type(p) for p in entry_points(group="sightline.datasets")] == [EntryPoint]
    both = make(("ours", "os:path"), group="sightline.datasets")
    assert both.names() == ["ours", "theirs"]
    assert both.load("theirs")(None, None) == "made"


def test_another_package_cannot_take_a_name_of_ours(tmp_path, monkeypatch):
    installed(tmp_path, "ours", "their_dataset:make_place")
    monkeypatch.syspath_prepend(tmp_path)
    both = make(("ours", "os:path"), group="sightline.datasets")
    with pytest.raises(CatalogError, match=r"'ours' is wanted, sightline .* someones-package"):
        both.names()
