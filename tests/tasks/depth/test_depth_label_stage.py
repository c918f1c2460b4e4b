"""The stage label: which photos, on which machine, and going on in a folder of photos alone."""

from pathlib import Path

import pytest
from coded_depth import CodedModel, make_coded_set

from sightline.datasets.depth import open_depth
from sightline.learning.runs import read_run_table
from sightline.records.depth_labels import shard_folders
from sightline.tasks.depth import label_stage
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.label_stage import label_images

CONFIG = DepthConfig(stage="label", teacher="teacher", shard=2, batch=2)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of six photos and nothing else."""
    made = make_coded_set(tmp_path / "made", {"": 6})
    folder = tmp_path / "photos"
    folder.mkdir()
    for item in made.items:
        made.path(item.image).rename(folder / item.image.name)
    return folder


def silent(_text: str, _fraction: float) -> None:
    pass


def test_a_killed_labelling_of_photos_alone_goes_on_and_labels_no_label(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The labels lie below the photos, in runs/, and are pictures too."""
    teacher = CodedModel()
    monkeypatch.setattr(label_stage, "load_model", lambda _source, device: teacher)

    def kill(_text: str, fraction: float) -> None:
        if fraction > 0.5:
            raise KeyboardInterrupt

    (photos.parent / "large disk").mkdir()
    (photos / "runs").symlink_to(photos.parent / "large disk")
    data = open_depth(photos)
    with pytest.raises(KeyboardInterrupt):
        label_images(data, CONFIG, data.runs_dir / "labels", kill)
    assert len(shard_folders(data.runs_dir / "labels")) == 1
    again = open_depth(photos)
    assert len(again) > len(data)  # what the first call left looks like photos
    label_images(again, CONFIG, again.runs_dir / "labels", silent)
    label_images(open_depth(photos), CONFIG, photos / "elsewhere", silent)
    before = read_run_table(photos / "elsewhere")
    label_images(open_depth(photos), CONFIG, photos / "elsewhere", silent)
    assert read_run_table(photos / "elsewhere") == before
    assert before["seconds"] > 0
    for folder in (data.runs_dir / "labels", photos / "elsewhere"):
        images = [item.image.resolve() for item in open_depth(folder).items]
        assert images == [photos.resolve() / item.image for item in data.items]


def test_the_teacher_works_on_the_graphics_processor_where_there_is_one(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "teacher").mkdir()
    monkeypatch.chdir(tmp_path)
    loaded: list[tuple[str, str]] = []

    def load(source: str, device: str) -> CodedModel:
        loaded.append((source, device))
        return CodedModel()

    monkeypatch.setattr(label_stage, "load_model", load)
    for there in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        label_images(open_depth(photos), CONFIG, tmp_path / f"labels {there}", silent)
    # a worker of a cluster runs in another folder: the path is whole
    assert loaded == [(str(tmp_path.resolve() / "teacher"), d) for d in ("cpu", "cuda")]
