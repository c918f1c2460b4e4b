"""Paper 000 reproduced on a place of eighteen small pictures: tables, figures, what is said."""

import csv
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.app.papers import PAPERS, find_paper
from sightline.app.papers.paper000 import runs as runs_module
from sightline.app.papers.paper000.config import Paper000Config
from sightline.app.papers.paper000.published import LOSSES, MAPNET, POSENET, SLIPS
from sightline.app.papers.paper000.reproduce import reproduce
from sightline.app.papers.paper000.tables import parameter_counts, published_accuracy
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.errors import (
    CatalogError,
    InputError,
    NonFiniteLossError,
    TrainingError,
    WeightsError,
)
from sightline.geometry import Pose
from sightline.records import FloorPlan, Place, PosedFrame

QUICK = Paper000Config(backbones="compact", weights="none", epochs=1, size=24, batch=8)
COUNT = 18


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def quick(**changes: object) -> Paper000Config:
    return dataclasses.replace(QUICK, **changes)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A straight walk of 1.7 m, a frame each 10 cm, looking ahead; mod-3 parts."""
    place = Place.create(tmp_path / "place", source="test")
    place.images_dir.mkdir()
    rng = np.random.default_rng(0)
    parts = ("train", "validation", "test")
    frames = []
    for i in range(COUNT):
        name = f"{i:02d}.png"
        pixels = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place.images_dir / name)
        pose = Pose(np.array([0.5, -0.5, 0.5, -0.5]), np.array([0.1 * i, 0.0, 1.5]))
        frames.append(PosedFrame(name, i / 10, pose, parts[i % 3]))
    place.write_frames(frames)
    place.update(unit="m")
    return place


def attach_plan(place: Place) -> None:
    """Attach a plan of 10 pixels a metre on which only the strip |y| < 0.3 m is walkable."""
    Image.new("RGB", (60, 40), "white").save(place.root / "plan.png")
    mask = np.zeros((40, 60), dtype=np.uint8)
    mask[18:23] = 255
    Image.fromarray(mask).save(place.root / "walkable.png")
    affine = np.array([[10.0, 0, 20], [0, -10.0, 20]])
    plan = FloorPlan(place.root / "plan.png", place.root / "walkable.png", 60, 40, affine)
    plan.write(place.plan_path)


def only(found: Reproduction) -> Section:
    (section,) = found.sections
    return section


def saved_test_rows(folder: Path, run: str) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 7) true and predicted numbers of the test frames, read with csv alone."""
    with (folder / run / "predictions.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "test"]
    names = ("qw", "qx", "qy", "qz", "x", "y", "z")
    return tuple(
        np.array([[float(r[f"{kind}_{n}"]) for n in names] for r in rows])
        for kind in ("true", "predicted")
    )


def test_all_of_it_is_printed_and_kept(place: Place) -> None:
    attach_plan(place)
    found = reproduce(place, QUICK)
    keys = [section.key for section in found.sections]
    assert keys == [f"table-{n}" for n in (1, 2, 3, 4)] + [f"figure-{n}" for n in (6, 7, 8, 9)]
    assert found.folder == place.runs_dir / "reproduce-000"
    written = json.loads((found.folder / "results.json").read_text())
    assert [s["key"] for s in written["sections"]] == keys
    markdown = (found.folder / "results.md").read_text()
    for section in found.sections:
        assert f"## {section.title}" in markdown
        for picture in section.pictures:
            assert f"]({picture})" in markdown
            with Image.open(found.folder / picture) as drawn:
                assert len(np.unique(np.asarray(drawn.convert("L")))) > 5
    pictures = [p for s in found.sections for p in s.pictures]
    assert pictures == [f"figures/figure-{n}.png" for n in (6, 7, 8, 9)]
    # One training each: Table II's is Table III's first and Figure 7's, and so on.
    made = sorted(p.name.rpartition("-")[0] for p in found.folder.iterdir() if p.is_dir())
    assert [name for name in made if name] == [
        "mapnet-compact-l1",
        "mapnet-compact-smooth_l1",
        "posenet-compact-l1",
        "posenet-compact-mse",
        "posenet-compact-smooth_l1",
        "posenet-compact-smooth_l1-alpha10",
    ]


def test_errors_are_the_papers_measure_of_the_saved_predictions(place: Place) -> None:
    section = only(found := reproduce(place, quick(table=2)))
    assert section.header[:5] == ("Model", "Position error (m)", "paper", "Rotation error", "paper")
    values = section.values["compact"]
    true, predicted = saved_test_rows(found.folder, values["run"])
    assert len(true) == COUNT // 3
    assert values["position_mae"] == pytest.approx(np.abs(true - predicted)[:, 4:].mean(), abs=1e-6)
    side = np.sign((true * predicted)[:, :4].sum(axis=1, keepdims=True))
    rotation = np.abs(side * true - predicted)[:, :4].mean()
    assert values["rotation_mae"] == pytest.approx(rotation, abs=1e-6)
    assert section.rows[0][:2] == ("compact", f"{values['position_mae']:.3f}")
    # A test frame's nearest training frame is 10 cm along x away, the last one's 20 cm: 70 cm over
    # six frames and three coordinates. The rotation never changes.
    name, position, _, rotation_cell, *_ = section.rows[1]
    assert (name, position, rotation_cell) == ("nearest training frame", "0.039", "0.0000")
    assert any("a leak" in note for note in section.notes)
    assert any("trained from scratch" in note for note in section.notes)


def test_a_finished_run_is_neither_trained_nor_scored_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reproduce(place, quick(table=4))
    monkeypatch.setattr(runs_module, "evaluate", lambda *_: pytest.fail("scored again"))
    again = reproduce(place, quick(table=4))
    assert again == first
    # Figure 7 asks for PoseNet too, which is new: the guard is seen to work.
    with pytest.raises(pytest.fail.Exception, match="scored again"):
        reproduce(place, quick(figure=7))


def test_other_settings_and_other_parts_are_other_runs(place: Place, tmp_path: Path) -> None:
    out = tmp_path / "out"
    runs = {only(reproduce(place, quick(table=2), out)).values["compact"]["run"]}
    runs.add(only(reproduce(place, quick(table=2, seed=1), out)).values["compact"]["run"])
    frames = place.frames()
    place.write_frames([*frames[:-1], frames[-1].with_split("")])
    runs.add(only(reproduce(place, quick(table=2), out)).values["compact"]["run"])
    assert len(runs) == 3
    assert all((out / run / "model.safetensors").is_file() for run in runs)
    assert not place.runs_dir.exists()


def test_sections_of_earlier_calls_stay(place: Place) -> None:
    reproduce(place, quick(table=2))
    found = reproduce(place, quick(table=1))
    written = json.loads((found.folder / "results.json").read_text())
    assert [s["key"] for s in written["sections"]] == ["table-1", "table-2"]
    (found.folder / "results.json").write_text("[]")
    with pytest.raises(InputError, match="delete it, or choose another --out"):
        write_results(found.folder, "x", [])


def test_a_loss_that_diverges_is_nan_with_its_reason(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = runs_module.train

    def train(place, config, directory, progress):
        if config.loss == "mse":
            raise NonFiniteLossError("the term 'position' is inf")
        return really(place, config, directory, progress)

    monkeypatch.setattr(runs_module, "train", train)
    section = only(found := reproduce(place, quick(table=3)))
    rows = {row[0]: row[1:] for row in section.rows}
    assert rows["MSE"] == ("NaN", "NaN", "NaN", "NaN")
    assert rows["SmoothedL1Loss"][1::2] == ("0.594", "0.139")
    assert float(rows["alpha != 1 (10, SmoothL1)"][0]) > 0
    assert any("the term 'position' is inf" in n and n.startswith("NaN") for n in section.notes)
    assert "NaN" in (found.folder / "results.md").read_text()
    (table,) = json.loads((found.folder / "results.json").read_text())["sections"]
    assert table["values"]["mse"]["position_mae"] is None


def test_a_real_non_finite_loss_has_its_own_error(place: Place) -> None:
    """An absurd learning rate throws the head so far that the square overflows float32."""
    config = quick(table=3).run_config("posenet", "compact", "mse")
    huge = dataclasses.replace(config, learning_rate=1e30, epochs=6)
    with pytest.raises(NonFiniteLossError, match="finite loss is wanted") as caught:
        runs_module.train(place, huge, place.runs_dir / "huge", lambda *_: None)
    assert isinstance(caught.value, TrainingError)


def test_walkable_correction_moves_what_is_off_the_floor(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Predictions 1 m to the left of the truth land on the strip's edge, 0.2 m from it."""
    attach_plan(place)
    really = runs_module.read_predictions

    def shifted(path: Path):
        saved = really(path)
        aside = Pose(saved.true.q_wxyz, saved.true.translation + np.array([0.0, 1.0, 0.0]))
        return dataclasses.replace(saved, predicted=aside)

    monkeypatch.setattr(runs_module, "read_predictions", shifted)
    section = only(reproduce(place, quick(figure=9)))
    assert section.values["moved"] == COUNT // 3
    assert section.values["before"] == pytest.approx(1.0)
    # The nearest walkable cell's centre may lie half a cell (5 cm) aside along the walk.
    assert section.values["after"] == pytest.approx(0.2, abs=0.02)
    assert section.rows[0] == ("as predicted", "100.0 cm", "153 cm")
    assert section.rows[1][2] == "130 cm"


def test_without_a_mask_figure_9_says_what_is_wanted(place: Place) -> None:
    with pytest.raises(InputError, match="walkable mask is wanted"):
        reproduce(place, quick(figure=9))


def test_loss_curves_are_those_of_the_history(place: Place) -> None:
    section = only(found := reproduce(place, quick(figure=6, epochs=2)))
    run = found.folder / section.values["L1"]["run"]
    with (run / "history.csv").open() as stream:
        losses = [float(row["train_loss"]) for row in csv.DictReader(stream)]
    assert len(losses) == section.values["L1"]["epochs"] == 2
    assert section.values["L1"]["ends"][:2] == [losses[0], losses[-1]]
    assert [row[0] for row in section.rows] == ["SmoothL1", "L1"]
    assert any("ResNet-152 in the paper" in note for note in section.notes)


def test_weights_that_cannot_be_had_name_the_flag(place: Place) -> None:
    with pytest.raises(WeightsError, match="--weights none"):
        reproduce(place, quick(table=2, weights="imagenet"))


def test_a_misspelt_backbone_is_refused_before_anything_is_trained(place: Place) -> None:
    with pytest.raises(CatalogError, match="did you mean 'resnet34'"):
        reproduce(place, quick(backbones="compact,resnet-34"))
    assert not place.runs_dir.exists()


def test_a_place_without_test_frames_says_how_to_get_them(place: Place) -> None:
    place.write_frames([f.with_split("train") for f in place.frames()])
    with pytest.raises(InputError, match=r"sightline split .* mod3"):
        reproduce(place, quick(table=2))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"backbones": " , "}, "backbones with commas"),
        ({"alpha": 1.0}, "alpha = 1.0 is out of range"),
        ({"epochs": 0}, "epochs = 0 is out of range"),
        ({"size": 4}, "width = 4 is out of range"),
    ],
)
def test_settings_out_of_range_are_named(changes: dict[str, object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        quick(**changes)


def test_names_are_taken_once_and_stand_in_for_the_papers() -> None:
    config = quick(backbones="resnet18, resnet34,resnet18")
    assert config.names == ("resnet18", "resnet34")
    assert config.pick("resnet34") == "resnet34"
    assert config.pick("resnet152") == "resnet18"
    assert not config.frozen
    assert quick(weights="imagenet").run_config("mapnet", "resnet18", "l1").freeze


@pytest.mark.parametrize(("model", "table"), [("posenet", POSENET), ("mapnet", MAPNET)])
def test_unstarred_counts_are_the_networks_own(model: str, table: dict[str, object]) -> None:
    for backbone in ("googlenet", "resnet18", "resnet152"):
        total, trainable = parameter_counts(model, backbone)
        printed = table[backbone]
        for count, cell in ((total, printed.total), (trainable, printed.trainable)):
            if cell.endswith("*"):
                assert f"{count:,}" != cell.rstrip("*")
            else:
                assert f"{count:,}" == cell
        if printed.trainable.endswith("*"):
            assert f"{trainable:,}" in SLIPS[model, backbone]


def test_published_accuracies_are_the_papers() -> None:
    from sightline.app.papers.paper000.published import IMAGENET_ACCURACY

    for name, (top1, top5) in IMAGENET_ACCURACY.items():
        assert published_accuracy(name) == pytest.approx((float(top1), float(top5)), abs=0.0005)
    assert published_accuracy("compact") is None


def test_papers_there_are() -> None:
    assert find_paper("000") is PAPERS["000"]
    assert set(LOSSES) == {"smooth_l1", "l1", "mse", "alpha"}
    with pytest.raises(CatalogError, match="'009' cannot be reproduced yet; there is: 000"):
        find_paper("009")
