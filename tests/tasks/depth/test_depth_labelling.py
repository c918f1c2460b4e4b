"""The data engine: labels of a teacher, whole shards at a time."""

import hashlib
import io
import logging
import sys
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.datasets.depth import open_depth
from sightline.errors import GeometryError, InputError, WeightsError
from sightline.records.depth import DepthImage, DepthSet
from sightline.records.depth_labels import SHARD_JSON, read_label_folder, read_shard, shard_folders
from sightline.records.files import read_toml
from sightline.tasks.depth.label_shards import ShardJob
from sightline.tasks.depth.labelling import LabelReport, write_labels
from sightline.tasks.depth.labelling_ray import _Worker
from sightline.tasks.depth.maps import DepthMap, Unit


@dataclass
class GreenIsNear:
    """A teacher whose disparity is the green channel; it remembers what it saw."""

    name: str = "green"
    digest: str = "0123abcd"
    quantity: str = "disparity"
    unit: Unit = "relative"
    seen: list[tuple[int, ...]] = field(default_factory=list)
    stop_after: int = sys.maxsize

    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[DepthMap]:
        for image in images:
            if len(self.seen) >= self.stop_after:
                raise KeyboardInterrupt
            self.seen.append(image.shape)
        return [self.answer(image) for image in images]

    def answer(self, image: NDArray[np.uint8]) -> DepthMap:
        return DepthMap(image[..., 1].astype(np.float32), "disparity", self.unit)


class Metric(GreenIsNear):
    def answer(self, image: NDArray[np.uint8]) -> DepthMap:
        return DepthMap(image[..., 1].astype(np.float32) / 10, "depth", "m")


class RefusesTall(GreenIsNear):
    def predict(self, images: Sequence[NDArray[np.uint8]]) -> list[DepthMap]:
        if any(image.shape[0] > image.shape[1] for image in images):
            raise GeometryError("a wide picture is wanted")
        return super().predict(images)


def picture(k: int, width: int = 24, height: int = 16) -> NDArray[np.uint8]:
    """A smooth picture, another for each ``k``, green from 10 up."""
    y, x = np.mgrid[:height, :width]
    green = 10 + (x * 7 + y * 3 + k * 5) % 200
    return np.stack([np.full_like(green, k % 256), green, x], axis=-1).astype(np.uint8)


def png(image: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()


def write_photos(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        (folder / f"{k}.png").write_bytes(png(picture(k)))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """What labels are made of, without the seconds and dates."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in {SHARD_JSON, "labels.toml"}
    }


def labels(model: GreenIsNear, source: Path | DepthSet, out: Path, **options: int) -> LabelReport:
    return write_labels(model, source, out, **{"shard": 4, "batch": 3, **options})


def test_labels_are_what_the_teacher_said_and_say_where_they_are_from(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 10)

    report = labels(GreenIsNear(), photos, tmp_path / "out")
    data = open_depth(report.folder)

    assert (report.labelled, report.skipped) == (10, ())
    assert [folder.name for folder in shard_folders(tmp_path / "out")] == [
        *("shard-00000", "shard-00001", "shard-00002")
    ]
    assert [item.image for item in data.items] == [photos / f"{k}.png" for k in range(10)]
    assert {item.labelled_by for item in data.items} == {"green 0123abcd"}
    assert {item.quantity for item in data.items} == {"disparity"}
    assert data.splits() == {"train": 10}
    for k, item in enumerate(data.items):
        np.testing.assert_array_equal(data.read_image(item), picture(k))
        truth = picture(k)[..., 1].astype(float)
        step = truth.max() / 65533
        np.testing.assert_allclose(data.read_target(item), truth + step, atol=0.51 * step)
    row = list(read_shard(tmp_path / "out" / "shard-00001"))[1]
    content = (photos / "5.png").read_bytes()
    assert (row.image, row.label, row.width, row.height) == ("5.png", "00001.png", 24, 16)
    assert (row.photo_sha256, row.photo_bytes) == (
        *(hashlib.sha256(content).hexdigest(), len(content)),
    )


def test_metres_stay_metres_even_where_all_is_equally_far(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 2)
    wall = picture(0)
    wall[..., 1] = 50
    (photos / "wall.png").write_bytes(png(wall))

    data = open_depth(labels(Metric(quantity="depth", unit="m"), photos, tmp_path / "out").folder)

    assert {item.quantity for item in data.items} == {"depth"}
    np.testing.assert_allclose(
        data.read_target(data.items[1]), picture(1)[..., 1] / 10, atol=0.0006
    )
    np.testing.assert_allclose(data.read_target(data.items[2]), 5.0, atol=1e-6)


def test_what_cannot_be_labelled_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 8)
    (photos / "2.png").write_text("this is text")
    (photos / "3.png").write_bytes((photos / "4.png").read_bytes()[:60])
    (photos / "5.png").write_bytes(png(np.full((16, 24, 3), 80, np.uint8)))
    flat = picture(0)
    flat[..., 1] = 80
    (photos / "6.png").write_bytes(png(flat))
    black = picture(0)
    black[..., 1] = 0
    (photos / "7.png").write_bytes(png(black))

    report = labels(GreenIsNear(), photos, tmp_path / "out")

    assert report.labelled == 3
    reasons = {path.name: reason for path, reason in report.skipped}
    assert list(reasons) == ["2.png", "3.png", "5.png", "6.png", "7.png"]
    assert "none that is known" in reasons["2.png"]
    assert "damaged" in reasons["3.png"]
    assert "one colour" in reasons["5.png"]
    assert "flat label" in reasons["6.png"]
    assert "no value above zero" in reasons["7.png"]
    written = (tmp_path / "out" / "skipped.csv").read_text()
    assert written.count("\n") == 6
    assert [item.image.name for item in open_depth(tmp_path / "out").items] == [
        *("0.png", "1.png", "4.png")
    ]


def test_a_photo_that_the_teacher_refuses_takes_no_other_with_it(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 4)
    (photos / "1.png").write_bytes(png(picture(1, 10, 20)))

    report = labels(RefusesTall(), photos, tmp_path / "out")

    assert report.labelled == 3
    assert [(path.name, reason) for path, reason in report.skipped] == [
        ("1.png", "the teacher refuses it: a wide picture is wanted")
    ]


def test_nothing_to_label_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_text("text")
    empty = DepthSet("none", tmp_path, ())

    with pytest.raises(InputError, match=r"not one of 1 photos could be labelled; 1\.jpg: "):
        labels(GreenIsNear(), tmp_path / "photos", tmp_path / "out")
    with pytest.raises(InputError, match="photos to label are wanted; none has none"):
        labels(GreenIsNear(), empty, tmp_path / "other")


def test_a_stopped_labelling_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 19)
    (photos / "9.png").write_text("text")
    labels(GreenIsNear(), photos, tmp_path / "whole")

    with pytest.raises(KeyboardInterrupt):
        labels(GreenIsNear(stop_after=10), photos, tmp_path / "out")
    done = sorted(path.name for path in (tmp_path / "out").iterdir())
    # a process that is killed leaves the shard it was at
    (tmp_path / "out" / ".shard-00002.99-ab.tmp").mkdir()
    (tmp_path / "out" / ".shard-00002.99-ab.tmp" / "00000.png").write_bytes(b"half")
    before = files(tmp_path / "out")
    assert len(read_label_folder(tmp_path / "out")) == 8

    again = GreenIsNear()
    report = labels(again, photos, tmp_path / "out")

    assert done == ["labels.toml", "shard-00000", "shard-00001"]
    assert len(again.seen) == 10
    assert report.labelled == 18
    assert [path.name for path, _ in report.skipped] == ["9.png"]
    assert files(tmp_path / "out") == files(tmp_path / "whole")
    assert {name: files(tmp_path / "out")[name] for name in before if "tmp" not in name} == {
        name: content for name, content in before.items() if "tmp" not in name
    }


def test_a_finished_labelling_is_not_made_again(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 5)
    labels(GreenIsNear(), photos, tmp_path / "out")
    again = GreenIsNear()

    report = labels(again, photos, tmp_path / "out", batch=2)

    assert again.seen == []
    assert report.labelled == 5
    assert read_toml(tmp_path / "out" / "labels.toml")["counts"]["labelled"] == 5


def test_labels_of_another_teacher_source_or_setting_are_refused(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 5)
    elsewhere = write_photos(tmp_path / "elsewhere", 5)
    out = tmp_path / "out"
    labels(GreenIsNear(), photos, out)
    before = files(out)
    cases: list[tuple[str, Callable[[], LabelReport]]] = [
        ("another model", lambda: labels(GreenIsNear(digest="ffff"), photos, out)),
        ("another source", lambda: labels(GreenIsNear(), elsewhere, out)),
        ("another number of photos a shard", lambda: labels(GreenIsNear(), photos, out, shard=5)),
        ("another size of labels", lambda: labels(GreenIsNear(), photos, out, side=20)),
        ("other things", lambda: labels(GreenIsNear(), photos, elsewhere)),
        ("outside of the photos", lambda: labels(GreenIsNear(), photos, photos / "labels")),
    ]
    for message, call in cases:
        with pytest.raises(InputError, match=message):
            call()
    (photos / "2.png").rename(photos / "new.png")
    with pytest.raises(InputError, match="another list of photos"):
        labels(GreenIsNear(), photos, out)
    (photos / "more.png").write_bytes(png(picture(9)))
    with pytest.raises(InputError, match="another number of photos"):
        labels(GreenIsNear(), photos, out)
    assert files(out) == before


def test_a_run_folder_may_hold_its_configuration(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "config.toml").write_text("task = 'depth'\n")

    report = labels(GreenIsNear(), write_photos(tmp_path / "photos", 2), tmp_path / "out")

    assert report.labelled == 2
    assert (tmp_path / "out" / "config.toml").read_text() == "task = 'depth'\n"


def test_archives_lists_and_sets_give_the_labels_of_their_photos(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 5)
    with tarfile.open(tmp_path / "t.tar", "w") as tar:
        for k in range(5):
            content = png(picture(k)) if k != 3 else b"corrupt"
            info = tarfile.TarInfo(f"{k}.png")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    lines = ["photos/0.png", "photos/gone.png", "photos/0.png", "photos/2.png"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    item = DepthImage(Path("photos/4.png"), None, split="validation", source="attic")
    given = DepthSet("given", tmp_path, (item, item))

    tar_report = labels(GreenIsNear(), tmp_path / "t.tar", tmp_path / "a")
    list_report = labels(GreenIsNear(), tmp_path / "list.txt", tmp_path / "b")
    labels(GreenIsNear(), given, tmp_path / "c")

    of_tar = open_depth(tmp_path / "a")
    assert [i.image for i in of_tar.items] == [
        tmp_path / "t.tar" / f"{k}.png" for k in (0, 1, 2, 4)
    ]
    np.testing.assert_array_equal(of_tar.read_image(of_tar.items[3]), picture(4))
    assert [path for path, _ in tar_report.skipped] == [tmp_path / "t.tar" / "3.png"]
    assert [i.image.name for i in open_depth(tmp_path / "b").items] == ["0.png", "2.png"]
    assert "does not exist" in list_report.skipped[0][1]
    (of_set,) = open_depth(tmp_path / "c").items
    assert (of_set.image, of_set.split, of_set.source) == (photos / "4.png", "validation", "attic")


def test_large_photos_are_scaled_down_before_the_teacher_and_again_for_the_label(
    tmp_path: Path,
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    ramp = np.zeros((400, 1000, 3), np.uint8)
    ramp[..., 1] = np.linspace(0, 250, 1000)[None]
    (photos / "wide.png").write_bytes(png(ramp))
    model = GreenIsNear()

    data = open_depth(labels(model, photos, tmp_path / "out", side=100).folder)

    assert model.seen == [(80, 200, 3)]
    target = data.read_target(data.items[0])
    assert target.shape == (40, 100)
    np.testing.assert_allclose(target[20], np.linspace(1.25, 248.75, 100), atol=1.0)


def test_unknown_pixels_stay_unknown_when_a_label_is_scaled_down(tmp_path: Path) -> None:
    class Holes(GreenIsNear):
        def answer(self, image: NDArray[np.uint8]) -> DepthMap:
            values = np.full(image.shape[:2], 5.0, np.float32)
            values[:, 20:] = np.nan
            values[:8, 0] = 3.0
            values[8:, 1] = np.nan
            return replace(super().answer(image), values=values)

    data = open_depth(
        labels(Holes(), write_photos(tmp_path / "p", 1), tmp_path / "out", side=12).folder
    )

    target = data.read_target(data.items[0])
    step = 5 / 65533
    assert target.shape == (8, 12)
    assert np.isnan(target[:, 10:]).all()
    np.testing.assert_allclose(target[:4, 0], 4.0 + step, atol=step)
    # half of it is known: the mean of that half, not of holes
    np.testing.assert_allclose(target[4:, 0], 5.0 + step, atol=step)


def test_progress_tells_how_fast_and_never_goes_back(tmp_path: Path) -> None:
    photos = write_photos(tmp_path / "photos", 9)
    (photos / "9.png").write_text("text")
    said: list[tuple[str, float]] = []

    write_labels(
        GreenIsNear(),
        photos,
        tmp_path / "out",
        shard=4,
        batch=4,
        progress=lambda text, fraction: said.append((text, fraction)),
    )

    assert [fraction for _, fraction in said] == [0.4, 0.8, 1.0, 1.0]
    assert said[-1][0] == "9 photos labelled, 1 skipped"
    assert said[0][0].startswith("labels up to 40%: 4 of 10 photos, ")
    assert said[0][0].endswith(" left")
    # a terminal has a row, a log a line, for each text up to the colon: not one a batch
    heads = set()
    write_labels(
        GreenIsNear(),
        write_photos(tmp_path / "more", 60),
        tmp_path / "out of more",
        shard=60,
        batch=1,
        progress=lambda text, _: heads.add(text.partition(":")[0]),
    )
    assert {f"labels up to {k}0%" for k in range(1, 11)} == heads - {
        "60 photos labelled, 0 skipped"
    }
    assert "images/s" in said[0][0]


def test_a_text_file_in_the_middle_of_ten_thousand_stops_nothing(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "many.tar", "w") as tar:
        contents = [png(picture(k, 6, 4)) for k in range(50)]
        for k in range(10_000):
            content = b"not a photo at all" if k == 5_000 else contents[k % 50]
            info = tarfile.TarInfo(f"{k:05d}.{'jpg' if k == 5_000 else 'png'}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

    report = write_labels(GreenIsNear(), tmp_path / "many.tar", tmp_path / "out", batch=64)

    assert report.labelled == 9_999
    assert [(path.name, "none that is known" in reason) for path, reason in report.skipped] == [
        ("05000.jpg", True)
    ]
    assert len(shard_folders(tmp_path / "out")) == 10


@pytest.mark.slow
# Ray's own defaults trip over Ray's own deprecations.
@pytest.mark.filterwarnings("ignore:`use_push_based_shuffle` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`use_polars` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`use_arrow_tensor_v2` is deprecated:DeprecationWarning")
def test_ray_writes_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # workers cannot import a test; the teacher goes to them as it is
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    photos = write_photos(tmp_path / "photos", 10)
    (photos / "6.png").write_text("text")
    labels(GreenIsNear(), photos, tmp_path / "here")
    with pytest.raises(KeyboardInterrupt):
        labels(GreenIsNear(stop_after=4), photos, tmp_path / "there")
    said: list[float] = []

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        report = write_labels(
            GreenIsNear(),
            photos,
            tmp_path / "there",
            shard=4,
            batch=3,
            ray=True,
            progress=lambda _, fraction: said.append(fraction),
        )
    finally:
        ray.shutdown()

    assert report.labelled == 9
    assert [path.name for path, _ in report.skipped] == ["6.png"]
    assert sorted(said)[-1] == 1.0
    assert files(tmp_path / "there") == files(tmp_path / "here")


def test_a_worker_without_the_teacher_says_so_in_a_line(tmp_path: Path) -> None:
    job = ShardJob(tmp_path, write_photos(tmp_path / "photos", 2), batch=2, side=100)
    row = {"index": 0, "entries": [["0.png", "", ""], ["1.png", "", ""]]}

    def no_file() -> GreenIsNear:
        raise WeightsError("weights.safetensors is wanted")

    other = _Worker(GreenIsNear, "9999", job)(row)
    none = _Worker(no_file, "0123abcd", job)(row)
    right = _Worker(GreenIsNear, "0123abcd", job)(row)

    assert other["error"].startswith("the teacher 9999 is wanted on all machines; 0123abcd was")
    assert none["error"] == "weights.safetensors is wanted"
    assert right == {"photos": 2, "error": ""}
    assert [folder.name for folder in shard_folders(tmp_path)] == ["shard-00000"]


def test_without_ray_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(InputError, match=r"pip install sightline\[distributed\]"):
        write_labels(
            GreenIsNear(), write_photos(tmp_path / "photos", 1), tmp_path / "out", ray=True
        )
