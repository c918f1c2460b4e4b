"""Paper 003's ablation on painted slopes: what rows share, what is hidden, kept and refused."""

import csv
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.app.papers import find_paper
from sightline.app.papers.objects_resnet import objects_resnet
from sightline.app.papers.paper003 import conclusions
from sightline.app.papers.paper003.ablation import RowScore, spreads
from sightline.app.papers.paper003.config import Paper003Config
from sightline.app.papers.paper003.metrics_table import metrics_table
from sightline.app.papers.paper003.perturbations import perturbed
from sightline.app.papers.paper003.published import FIGURE_5, FIGURE_5_METRICS, TABLE_9
from sightline.app.papers.paper003.reproduce import _asked, reproduce
from sightline.app.papers.paper003.study import (
    ROWS,
    Study,
    divide,
    kinds_of,
    readable,
    source_of,
)
from sightline.app.papers.results import Reproduction, Section
from sightline.datasets.depth import open_depth
from sightline.errors import InputError, SightlineError
from sightline.learning.runs import WEIGHTS
from sightline.records.depth import DepthImage, DepthSet, write_depth_png_mm, write_depth_set
from sightline.tasks.depth import task as task_module
from sightline.tasks.depth.batches import DepthBatches, split_batch
from sightline.tasks.depth.config import DepthConfig, read_config
from sightline.tasks.depth.encoders import frozen_encoder
from sightline.tasks.depth.metrics import METRICS
from sightline.tasks.depth.model import create_model
from sightline.tasks.objects.predict import need_default_model

QUICK = Paper003Config(
    epochs=1,
    width=0.1,
    encoder_weights="none",
    frame_width=64,
    frame_height=48,
    batch=6,
    labelled=0.25,
    ratio=2.0,
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def slope(root: Path, scene: str, view: int, split: str) -> DepthImage:
    """Write a plane that comes nearer downwards, brighter where it is near."""
    rng = np.random.default_rng([len(scene), ord(scene[0]), int(scene[-2:]), view])
    rows = np.linspace(rng.uniform(3, 6), rng.uniform(1, 2), 48, dtype=np.float32)
    metres = np.tile(rows[:, None], (1, 64))
    image, depth = (Path("images") / f"{scene}-{view}.{end}" for end in ("jpg", "png"))
    (root / "images").mkdir(parents=True, exist_ok=True)
    grey = np.clip(250 / metres + rng.normal(0, 3, metres.shape), 0, 255)
    Image.fromarray(grey.astype(np.uint8)).convert("RGB").save(root / image, quality=95)
    # as rendered rooms keep it, truth may be coarser than its photo
    write_depth_png_mm(root / depth, metres[::2, ::2] if split == "test" else metres)
    return DepthImage(image, depth, split=split, source=scene)


def slopes(root: Path) -> DepthSet:
    """Return a set of two kinds of scenes, two pictures each, written."""
    parts = ["train"] * 8 + ["validation"] + ["test"] * 2
    items = tuple(
        slope(root, f"{kind}_{number:02d}", view, split)
        for kind in ("room", "street")
        for number, split in enumerate(parts)
        for view in range(2)
    )
    data = DepthSet(root.name, root, items)
    write_depth_set(data)
    return data


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DepthSet:
    root = tmp_path_factory.mktemp("data") / "slopes"
    slopes(root)
    return open_depth(root)


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("more") / "others"
    slopes(root)
    return root


@pytest.fixture(scope="module")
def made(data: DepthSet, others: Path, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        config = dataclasses.replace(QUICK, table="ablation", extra=(others,))
        return reproduce(data, config, tmp_path_factory.mktemp("out") / "003")
    finally:
        torch.set_num_threads(before)


def section(found: Reproduction, key: str) -> Section:
    (one,) = [s for s in found.sections if s.key == key]
    return one


def silent(_text: str, _fraction: float) -> None:
    pass


def test_the_depth_of_most_scenes_is_hidden(data: DepthSet) -> None:
    parts = divide(data, QUICK)
    labelled = parts.labelled.part("train")
    assert {source_of(i)[:4] for i in labelled.items} == {"room", "stre"}
    assert len(labelled) == 2 * 2 * 2  # two of eight scenes of each kind, two pictures each
    assert all(item.depth is not None for item in labelled.items)
    assert len(parts.hidden) == 2 * 6 * 2
    assert all(item.depth is None for item in parts.hidden.items)
    seen = [{source_of(i) for i in one.items} for one in (labelled, parts.hidden, parts.test)]
    assert sum(map(len, seen)) == len(set().union(*seen))  # no scene is in two of them
    assert {i.split for i in parts.test.items} == {"test"}
    assert divide(data, QUICK).labelled == parts.labelled
    other = divide(data, dataclasses.replace(QUICK, seed=1)).labelled
    assert other.items != parts.labelled.items
    more = divide(data, dataclasses.replace(QUICK, labelled=0.5)).labelled.part("train")
    assert set(labelled.items) < set(more.items)


def test_data_without_parts_are_refused(data: DepthSet) -> None:
    with pytest.raises(InputError, match="parts train and test with depth are wanted"):
        divide(data.part("train"), QUICK)
    lone = dataclasses.replace(
        data, items=tuple(i for i in data.items if i.source in ("room_00", "room_10"))
    )
    with pytest.raises(InputError, match="too few to hide the depth"):
        divide(lone, QUICK)


def test_rows_differ_in_what_the_paper_varies_alone(data: DepthSet, tmp_path: Path) -> None:
    study = Study(data, tmp_path, QUICK, silent)
    study._runs["labels"] = tmp_path / "labels"
    rows = {key: study.settings(key) for key in ROWS}

    def differing(a: str, b: str) -> set[str]:
        return {
            f.name
            for f in dataclasses.fields(DepthConfig)
            if getattr(rows[a], f.name) != getattr(rows[b], f.name)
        }

    assert differing("labelled", "unlabelled") == {"stage", "batch", "labels", "strong"}
    assert differing("unlabelled", "perturbed") == {"strong"}
    assert differing("perturbed", "aligned") == {"features"}
    assert differing("labelled", "teacher") == {"batch", "epochs"}
    assert rows["aligned"].features.startswith("resnet18@0.5:")


def test_all_rows_take_the_same_labelled_images_a_step(data: DepthSet, tmp_path: Path) -> None:
    study = Study(data, tmp_path, QUICK, silent)
    study._runs["labels"] = tmp_path / "labels"
    steps = {}
    count = len(study.parts.labelled.part("train"))
    for key in ROWS:
        settings = study.settings(key)
        student = settings.stage == "student"
        own, pseudo = split_batch(settings, student)
        batches = DepthBatches([None] * count, [None] * 24 if student else None, settings)
        steps[key] = (own, pseudo, len(batches) * settings.epochs)
    assert steps["labelled"] == (2, 0, 4)
    for key in ("unlabelled", "perturbed", "aligned"):
        assert steps[key] == (2, 4, 4)
    own, pseudo, number = steps["teacher"]
    # the teacher sees as many images in all as a student, but for the last batch of a pass
    assert (own, pseudo) == (6, 0)
    assert abs(own * number - 6 * 4) <= 6 * 3


@pytest.mark.slow
def test_the_table_has_the_reports_values_beside(made: Reproduction) -> None:
    table = section(made, "table-9")
    assert table.header == (
        "row", "L_l", "L_u", "S", "L_feat", "room", "street", "all scenes", "others",
        "report: KI", "report: NY", "report: SI", "report: DD", "report: ET", "report: DI",
    )  # fmt: skip
    assert [row[0] for row in table.rows] == [
        *(row.name for row in ROWS.values()), "constant", "row_mean",
    ]  # fmt: skip
    assert table.rows[3][1:5] == ("x", "x", "x", "x")
    assert table.rows[3][-6:] == ("0.076", "0.043", "0.458", "0.230", "0.127", "0.066")
    assert table.rows[5][-6:] == ("-",) * 6
    assert {len(row) for row in table.rows} == {len(table.header)}
    for key, value in table.values.items():
        by_kind = value["by_kind"]
        assert value["abs_rel"] == pytest.approx((by_kind["room"] + by_kind["street"]) / 2), key
    text = table.to_text()
    assert "nan" not in text
    assert "stands in for DINOv2" in text
    assert "aligned per image in disparity" in table.title
    assert any("images (split: test), each score the mean over images" in n for n in table.notes)
    assert "1 pass over them in 4 steps of 2 labelled images" in text


@pytest.mark.slow
def test_everything_is_written_and_opens_offline(made: Reproduction) -> None:
    names = {one.key for one in made.sections}
    assert names == {"figure-3", "table-9", "figure-1"}
    for one in made.sections:
        for picture in one.pictures:
            with Image.open(made.folder / picture) as drawn:
                assert len(np.unique(np.asarray(drawn.convert("L")))) > 5
    with (made.folder / "table-9.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert [tuple(row) for row in rows[1:]] == list(section(made, "table-9").rows)
    html = (made.folder / "report.html").read_text()
    assert html.count("data:image/png;base64,") == 3
    assert not re.search(r"(src|href)=['\"]?https?:", html)
    kept = json.loads((made.folder / "results.json").read_text())
    assert {one["key"] for one in kept["sections"]} == names


@pytest.mark.slow
def test_a_second_call_trains_and_labels_nothing(
    made: Reproduction, data: DepthSet, others: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(task_module, "fit", refuse)
    labels = next(made.folder.glob("runs/labels-*"))
    before = {p: p.stat().st_mtime_ns for p in labels.rglob("*.npy")}
    config = dataclasses.replace(QUICK, table="ablation", extra=(others,))
    again = reproduce(data, config, made.folder)
    assert section(again, "table-9").rows == section(made, "table-9").rows
    assert {p: p.stat().st_mtime_ns for p in labels.rglob("*.npy")} == before


@pytest.mark.slow
def test_a_killed_ablation_goes_on(
    made: Reproduction,
    data: DepthSet,
    others: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fit, calls = task_module.fit, []

    def killed(*args: object, **more: object) -> object:
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return fit(*args, **more)

    monkeypatch.setattr(task_module, "fit", killed)
    config = dataclasses.replace(QUICK, table="ablation", extra=(others,))
    with pytest.raises(KeyboardInterrupt):
        reproduce(data, config, tmp_path)
    assert len(list(tmp_path.glob(f"runs/*/{WEIGHTS}"))) == 2
    done = {p: p.stat().st_mtime_ns for p in tmp_path.glob(f"runs/*/{WEIGHTS}")}
    found = reproduce(data, config, tmp_path)
    assert len(calls) == 3 + 3  # of five trainings two were there
    assert {p: p.stat().st_mtime_ns for p in done} == done
    assert section(found, "table-9").rows == section(made, "table-9").rows


@pytest.mark.slow
def test_students_learn_from_the_teachers_labels_of_hidden_images(made: Reproduction) -> None:
    (folder,) = made.folder.glob("runs/labels-*")
    labels = open_depth(folder)
    (teacher,) = made.folder.glob("runs/teacher-*")
    assert read_config(folder / "config.toml").teacher == str(teacher.resolve())
    assert len(labels) == 24
    for name in ("unlabelled", "perturbed", "aligned"):
        (run,) = made.folder.glob(f"runs/{name}-*")
        config = read_config(run / "config.toml")
        assert Path(config.labels) == folder.resolve()
        assert config.fine_tune == ""  # a fresh network (Sec. 5.3)


@pytest.mark.slow
def test_metrics_of_models_stand_beside_the_reports(
    made: Reproduction, data: DepthSet, tmp_path: Path
) -> None:
    (run,) = made.folder.glob("runs/aligned-*")
    config = dataclasses.replace(QUICK, weights=(str(run), "no-such/depth-model"))
    table = metrics_table(Study(data, made.folder, config, silent), made.folder)
    assert table.header[4:] == tuple(METRICS) == FIGURE_5_METRICS
    assert [row[1] for row in table.rows[-3:]] == list(FIGURE_5)
    assert table.rows[-1][4:] == FIGURE_5["the report's own run"]
    measured = [row for row in table.rows if row[0] == data.name]
    assert [row[1] for row in measured] == [run.name, "constant", "row_mean"]
    assert all("disparity" in row[2] for row in measured)
    assert any("no-such/depth-model" in note and "not measured" in note for note in table.notes)
    assert any("sightline import nyuv2" in note for note in table.notes)
    study = Study(dataclasses.replace(data, benchmark="nyuv2"), tmp_path, config, silent)
    measured = metrics_table(study, tmp_path)
    assert not any("sightline import nyuv2" in note for note in measured.notes)
    assert any("crop eigen, truth between 0.001 m and 10 m" in note for note in measured.notes)


def test_figures_pass_over_pictures_that_do_not_read(tmp_path: Path) -> None:
    data = slopes(tmp_path / "torn")
    items = data.part("test").items
    (data.root / items[0].image).write_bytes(b"torn")
    (data.root / items[2].depth).write_bytes(b"torn")
    found = readable(data, items, 3, depth=True)
    assert [item for item, _, _ in found] == [items[1], *items[3:5]]
    np.testing.assert_array_equal(found[0][2], data.read_target(items[1]))
    assert [item for item, _, _ in readable(data, items, 2)] == list(items[1:3])
    with pytest.raises(SightlineError):
        readable(data, items[:1], 1)


def test_kinds_of_scenes_are_told_by_name() -> None:
    found = kinds_of(["room_01", "desk_02", "room_03"])
    assert found == {"room": ["room_01", "room_03"], "desk": ["desk_02"]}
    assert kinds_of(["room_01", "room_03"]) == {}
    assert kinds_of([f"{chr(97 + k)}_1" for k in range(9)]) == {}


def test_means_count_images_and_spreads_pair_scenes() -> None:
    images = {"a": 1, "b": 3, "c": 2}
    one = RowScore({"a": 0.1, "b": 0.2, "c": 0.6}, images, {}, {})
    assert one.mean() == pytest.approx((0.1 + 3 * 0.2 + 2 * 0.6) / 6)
    assert one.mean(["a", "b"]) == pytest.approx(0.7 / 4)
    shifted = RowScore({k: v + 0.05 for k, v in one.scenes.items()}, images, {}, {})
    turned = RowScore({"a": 0.6, "b": 0.2, "c": 0.1}, images, {}, {})
    found = spreads({"one": one, "shifted": shifted, "turned": turned})
    assert found["one", "shifted"] == pytest.approx(0.0, abs=1e-12)  # better by as much everywhere
    assert found["one", "turned"] > 0.1
    assert found["one", "turned"] == pytest.approx(found["turned", "one"])


def test_conclusions_follow_the_numbers() -> None:
    keys = [*ROWS, "constant", "row_mean"]
    spread = {(a, b): 0.005 for a in keys for b in keys}
    like_the_report = dict(zip(keys, (0.180, 0.179, 0.172, 0.160, 0.175, 0.5, 0.4), strict=True))
    said = conclusions.ablation(like_the_report, spread)
    assert [("holds here" in s, "by less than the choice" in s) for s in said[:5]] == [
        (True, True), (True, False), (True, False), (True, False), (True, False),
    ]  # fmt: skip
    assert "2.5 times the AbsRel of the last row (0.4000 against 0.1600)" in said[5]
    assert "the report -0.6%" in said[0]
    other = like_the_report | {"unlabelled": 0.150, "perturbed": 0.150, "aligned": 0.200}
    said = conclusions.ablation(other, spread)
    assert all("does not hold here" in s for s in said[:5])


def test_perturbations_show_what_they_say() -> None:
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    clean, colour, blur, cut, everything = perturbed(frames, seed=0)
    np.testing.assert_array_equal(clean, frames)
    assert blur.std() < 0.5 * clean.std()
    assert np.abs(colour.astype(int) - clean).mean() > 5
    own = (cut == frames).all(axis=3)
    other = (cut == np.roll(frames, -1, axis=0)).all(axis=3)
    assert (own | other).all()
    for part in other:
        rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
        box = part[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert box.mean() > 0.99  # one rectangle
        assert 0.05 < part.mean() < 0.6
    assert everything.shape == frames.shape


def test_the_objects_networks_resnet_is_taken_whole() -> None:
    spec, file = objects_resnet()
    encoder = frozen_encoder(f"{spec}:{file}")
    network = need_default_model().network
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = network.category[0](network._maps(images)) if len(network.category) == 1 else (
            network.category.layer4(network._maps(images)))  # fmt: skip
        found = encoder(images)
    assert found.shape[1] == encoder.channels == wanted.shape[1]
    torch.testing.assert_close(found, wanted.float(), rtol=2e-2, atol=2e-2)
    assert found.std() > 0.1
    assert encoder.contract.mean == network.contract.mean  # both normalise as ImageNet
    assert encoder.contract.std == network.contract.std


def test_the_networks_start_from_the_objects_networks_resnet(tmp_path: Path) -> None:
    study = Study(None, tmp_path, Paper003Config(), lambda _stage, _fraction: None)
    settings = study.training()
    assert settings.weights == str(objects_resnet()[1])
    loaded = create_model(settings).state_dict()["encoder.conv1.weight"]
    fresh = create_model(settings, weights="none").state_dict()["encoder.conv1.weight"]
    assert (loaded != fresh).any()
    scratch = Study(
        None, tmp_path, Paper003Config(encoder_weights="none"), lambda _stage, _fraction: None
    )
    assert scratch.training().weights == "none"


def test_settings_are_checked_and_quick_is_small() -> None:
    quick = Paper003Config(quick=True).effective
    assert quick.scenes == 60
    assert quick.frame_width < Paper003Config().frame_width
    assert Paper003Config().effective == Paper003Config()
    timed = Paper003Config(epochs=0, max_seconds=60.0)
    assert timed.training().max_seconds == 60.0
    for wrong in ({"labelled": 1.0}, {"ratio": 0.0}, {"batch": 1}, {"seeds": 0}, {"dropout": 1.0}):
        with pytest.raises(InputError, match="is out of range"):
            Paper003Config(**wrong)
    assert list(_asked(Paper003Config())) == ["ablation", "metrics"]
    assert list(_asked(Paper003Config(images=Path()))) == ["ablation", "metrics", "classification"]
    assert list(_asked(Paper003Config(figure=3))) == ["figure 3"]
    assert find_paper("003").load("config") is Paper003Config


def test_published_means_are_the_reports() -> None:
    means = {key: np.mean([float(c) for c in cells]) for key, cells in TABLE_9.items()}
    assert means["labelled"] == pytest.approx(0.1798, abs=1e-4)
    assert means["aligned"] == min(means.values())
    assert len({len(cells) for cells in FIGURE_5.values()}) == 1
