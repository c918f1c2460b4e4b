"""Paper 000 reproduced on a place of eighteen small pictures: tables, figures, what is said."""

import csv
import dataclasses
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.app.papers import PAPERS, find_paper
from sightline.app.papers.paper000 import conclusions, weights
from sightline.app.papers.paper000 import reproduce as reproduce_module
from sightline.app.papers.paper000 import runs as runs_module
from sightline.app.papers.paper000.config import PAPERS_BACKBONES, Paper000Config
from sightline.app.papers.paper000.published import (
    LOSSES,
    MAPNET,
    POSENET,
    SLIPS,
    distance_range_cm,
)
from sightline.app.papers.paper000.reproduce import reproduce
from sightline.app.papers.paper000.tables import parameter_counts, published_accuracy
from sightline.app.papers.paper000.trainings import wanted
from sightline.app.papers.paper000.world import World
from sightline.app.papers.results import Reproduction, Section, write_results
from sightline.errors import (
    CatalogError,
    InputError,
    NonFiniteLossError,
    TrainingError,
    WeightsError,
)
from sightline.geometry import Pose
from sightline.records import FloorPlan, Place, PosedFrame, write_poses_csv

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


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    """A walk 0.3 m to the left of the place's, at 0.1, 0.4 and 0.7 m of its length."""
    folder = tmp_path / "beside"
    folder.mkdir()
    rng = np.random.default_rng(1)
    frames = []
    for i in range(3):
        name = f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(folder / name)
        pose = Pose(np.array([0.5, -0.5, 0.5, -0.5]), np.array([0.1 + 0.3 * i, 0.3, 1.5]))
        frames.append(PosedFrame(name, None, pose))
    write_poses_csv(folder / "poses.csv", frames)
    return folder


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
    keys = [f"table-{n}" for n in (1, 2, 3, 4)] + [f"figure-{n}" for n in (2, 3, 6, 7, 8, 9)]
    assert sorted(section.key for section in found.sections) == sorted(keys)
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
    pictures = sorted(p for s in found.sections for p in s.pictures)
    # the place was not mapped from pictures: it has no points for Figure 3
    assert pictures == [f"figures/figure-{n}.png" for n in (2, 6, 7, 8, 9)]
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
    # The paper's own backbones were not asked for: what it prints of them stands there alone.
    cells = {row[0]: row[1:] for row in section.rows}
    assert cells["ResNet-18"][:4] == ("-", "0.635", "-", "0.288")
    assert cells["ResNet-18"][4:8] == ("11,180,103", "11,180,103", "3,591", "3,591")
    # A test frame's nearest training frame is 10 cm along x away, the last one's 20 cm: 70 cm over
    # six frames and three coordinates. The mean of the training frames is at 0.75 m: 280 cm. The
    # rotation never changes.
    assert cells["nearest training frame"][:4] == ("0.039", "", "0.0000", "")
    assert cells["constant"][:4] == ("0.156", "", "0.0000", "")
    assert any("a leak" in note for note in section.notes)
    assert any("trained from scratch" in note for note in section.notes)


def test_a_second_walk_stands_beside(place: Place, walk: Path) -> None:
    section = only(found := reproduce(place, quick(table=4, walk=walk)))
    assert section.header[-2:] == (
        "Second walk: position error (m)",
        "Second walk: rotation error",
    )
    cells = {row[0]: row[-2:] for row in section.rows}
    # 10 cm along x to the nearest training frame, 30 cm aside; to the mean 65, 35 and 5 cm along.
    assert cells["nearest training frame"] == (f"{0.4 / 3:.3f}", "0.0000")
    assert cells["constant"] == (f"{(0.9 + 1.05) / 9:.3f}", "0.0000")
    assert cells["ResNet-50"] == ("-", "-")
    values = section.values["compact"]
    with (found.folder / values["run"] / "predictions-beside.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    off = [abs(float(r[f"true_{n}"]) - float(r[f"predicted_{n}"])) for r in rows for n in "xyz"]
    assert values["second_walk"]["position_mae"] == pytest.approx(np.mean(off), abs=1e-6)
    assert cells["compact"][0] == f"{np.mean(off):.3f}"
    assert any("never" in note or "nothing was trained on" in note for note in section.notes)


def test_a_walk_that_moved_is_judged_again(place: Place, walk: Path) -> None:
    def judged() -> float:
        section = only(reproduce(place, quick(table=2, walk=walk)))
        return float(section.values["nearest training frame"]["second_walk"]["position_mae"])

    before = judged()
    table = walk / "poses.csv"
    text = table.read_text().replace("0.300000000", "0.600000000")
    assert text != table.read_text()
    table.write_text(text)
    assert judged() == pytest.approx(before + 0.1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda walk: (walk / "poses.csv").unlink(), "has no poses.csv"),
        (lambda walk: (walk / "1.png").unlink(), "names 1.png, which is not in"),
    ],
)
def test_a_walk_that_does_not_read_is_refused_before_training(
    place: Place, walk: Path, spoil: object, says: str
) -> None:
    spoil(walk)  # type: ignore[operator]
    with pytest.raises(InputError, match=says):
        reproduce(place, quick(table=2, walk=walk))
    assert not place.runs_dir.exists()


def test_without_a_place_the_rendered_floor_stands_in(
    place: Place, walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach_plan(place)
    (place.root / "points.csv").write_text("id,x,y,z\n1,0.5,1,2\n2,1.5,-1,0\n")
    asked = []

    def rendered(folder: Path, **options: object) -> World:
        asked.append((folder, options["quick"]))
        return World(place, walk, tuple(frames), truth)

    # on a zigzag: of points on one line a similarity cannot be told
    zigzag = [np.array([0.1 * i, 0.1 * (i % 2), 1.5]) for i in range(COUNT)]
    place.write_frames(
        [f.with_pose(Pose(f.world_from_cam.q_wxyz, xyz))
         for f, xyz in zip(place.frames(), zigzag, strict=True)]
    )  # fmt: skip
    frames = place.registered()
    # the truth is the place itself, moved by 2 m: nothing is left of it after a similarity
    truth = [f.with_pose(Pose(f.world_from_cam.q_wxyz, f.world_from_cam.translation + 2.0))
             for f in frames]  # fmt: skip
    monkeypatch.setattr(reproduce_module, "rendered_world", rendered)
    monkeypatch.chdir(tmp_path)
    figure2 = only(reproduce(None, quick(figure=2)))
    assert asked == [(Path("runs/reproduce-000"), False)]
    assert figure2.values["registered"] == COUNT
    assert figure2.values["length"] == pytest.approx(1.7 * np.sqrt(2.0))
    assert figure2.values["ate"] == pytest.approx(0.0, abs=1e-9)
    assert figure2.values["largest"] == pytest.approx(2.0 * np.sqrt(3.0))
    assert (tmp_path / "runs/reproduce-000/figures/figure-2.png").is_file()
    figure3 = only(reproduce(None, quick(figure=3), tmp_path / "out"))
    assert figure3.values == {"points": 2}
    assert (tmp_path / "out/figures/figure-3.png").is_file()


def test_table_1_wants_no_place(tmp_path: Path) -> None:
    section = only(reproduce(None, Paper000Config(table=1), tmp_path / "out"))
    assert [row[0] for row in section.rows][:2] == ["GoogLeNet", "ResNet-18"]
    assert section.rows[1][1:] == ("69.758", "69.758", "89.078", "89.078")
    assert any("not measured" in note for note in section.notes)


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
    assert rows["MSE"][:4] == ("NaN", "NaN", "NaN", "NaN")
    assert rows["SmoothedL1Loss"][1:4:2] == ("0.594", "0.139")
    assert float(rows["alpha != 1 (10, SmoothL1)"][0]) > 0
    assert any("the term 'position' is inf" in n and n.startswith("NaN") for n in section.notes)
    assert "MSE cannot be trained: holds here: NaN here too" in section.notes
    assert any(
        n.startswith("alpha other than 1 cannot be trained: does not") for n in section.notes
    )
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
    first, second, paper = section.rows
    values = section.values[first[0]]
    assert values["moved"] == COUNT // 3
    assert values["before"] == pytest.approx(1.0)
    # The nearest walkable cell's centre may lie half a cell (5 cm) aside along the walk.
    assert values["after"] == pytest.approx(0.2, abs=0.02)
    assert first[:3] == ("MapNet (compact), test", "6 of 6", "100.0 cm")
    assert second[0] == "PoseNet (compact), test"
    # it prints one pair of numbers, and not of which network they are
    assert paper[2:] == ("153 cm", "130 cm")
    assert any("holds here: -8" in note for note in section.notes)


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


def test_weights_are_taken_where_they_can_be_had(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    auto = Paper000Config(backbones="resnet18,resnet34")
    monkeypatch.setattr(weights, "is_at_hand", lambda name: name == "resnet18")
    config, why = weights.with_weights(auto, lambda *_: None)
    assert config.weights == "none"
    assert "resnet34" in why
    monkeypatch.setattr(weights, "is_at_hand", lambda _name: True)
    assert weights.with_weights(auto, lambda *_: None)[0].weights == "imagenet"
    # what was asked for is not looked up
    monkeypatch.setattr(weights, "is_at_hand", lambda _name: pytest.fail("asked"))
    assert weights.with_weights(quick(), lambda *_: None) == (quick(), "")


def test_weights_at_hand_are_those_in_the_cache_or_on_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    assert not weights.is_at_hand("resnet18")
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "resnet18-f37072fd.pth").touch()
    assert weights.is_at_hand("resnet18")
    assert not weights.is_at_hand("resnet34")
    assert not weights.is_at_hand("compact")


def test_quick_is_everything_small() -> None:
    small = Paper000Config(quick=True).effective
    assert small.names == ("compact", "resnet18")
    training = small.run_config("mapnet", "compact", "l1", frames=43)
    assert (training.width, training.max_seconds, training.epochs) == (64, 10.0, 0)
    # three frames of a tuple, 7 apart, span 14 of 43
    assert (training.step, training.skip) == (3, 7)
    # two networks of each kind on two backbones, three more losses, one more of MapNet
    assert len(wanted(small, ["table 2", "table 3", "table 4", "figure 7", "figure 8"])) == 8
    assert Paper000Config(quick=True, backbones="resnet50", size=32).effective.names == (
        "resnet50",
    )


def test_defaults_follow_what_weights_there_are() -> None:
    """ImageNet's: the paper's settings; none: a time budget that ends."""
    paper = Paper000Config(weights="imagenet")
    assert paper.names == PAPERS_BACKBONES
    training = paper.run_config("posenet", "resnet152", "smooth_l1")
    assert (training.width, training.epochs, training.max_seconds) == (224, 300, 0.0)
    assert training.freeze
    assert not training.augments_pixels
    scratch = Paper000Config(weights="none")
    assert scratch.names == ("compact", *PAPERS_BACKBONES)
    assert scratch.pick("resnet152") == "compact"
    training = scratch.run_config("posenet", "resnet152", "smooth_l1", frames=142)
    assert (training.width, training.epochs, training.max_seconds) == (96, 0, 150.0)
    assert training.augments_pixels
    # eighteen trainings of 150 s: an hour with the map
    everything = [f"table {n}" for n in (2, 3, 4)] + [f"figure {n}" for n in (6, 7, 8, 9)]
    assert len(wanted(scratch, everything)) == 18
    assert scratch.run_config("posenet", "compact", "l1", frames=9).batch == 16
    assert quick(batch=5).run_config("mapnet", "compact", "l1", frames=9).batch == 5


def test_conclusions_are_worked_out() -> None:
    low, high = np.array([0.1, 0.1, 0.2]), np.array([0.5, 0.6, 0.6])
    assert conclusions.lower("x", low, high, "frames").startswith("x: holds here: 0.133 against")
    assert conclusions.lower("x", high, low, "frames").startswith("x: does not hold here: ")
    # a gap that the frames of one stretch alone make is by chance, however many they are
    drift = np.repeat([0.9] + [0.0] * 9, 50)
    assert "by less than" in conclusions.lower("x", np.zeros(500), drift, "frames")
    near = np.array([0.2, 0.0, 0.25])
    assert "by less than the choice of frames does" in conclusions.lower("x", low, near, "frames")
    three = {"resnet152": low, "efficientnet_b7": low, "resnet18": high}
    assert "holds here: " in conclusions.best_backbones(three)[0]
    assert "does not hold" in conclusions.best_backbones({**three, "resnet152": high + 1})[0]
    assert "cannot be told" in conclusions.best_backbones({"resnet18": low})[0]
    ours = {**three, "compact": low / 2}  # the paper says nothing of it
    assert conclusions.best_backbones(ours) == conclusions.best_backbones(three)
    counts = {"resnet18": 10, "resnet152": 90}
    both = {"resnet18": low, "resnet152": high}
    (said,) = conclusions.size_matters_not(both, counts, {"resnet18": 30, "resnet152": 30})
    assert ": holds here: best is ResNet-18 (10 parameters" in said
    assert "unequal" not in said
    (said,) = conclusions.size_matters_not(both, counts, {"resnet18": 30, "resnet152": 4})
    assert said.endswith("unequal training: 4 epochs of the largest, 30 of the best")
    assert (
        "SmoothL1 is better than L1: holds here"
        in conclusions.losses({"smooth_l1": low, "l1": high, "mse": low})[0]
    )
    limits = {"constant": 0.15, "nearest training frame": 0.05}
    assert conclusions.against_baselines({"a": low, "b": high}, limits, "t") == [
        "t: networks with a smaller position error than 'constant' (0.150): 1 of 2",
        "t: networks with a smaller position error than 'nearest training frame' (0.050): 0 of 2",
    ]


def test_overfitting_is_a_validation_score_that_rises_again() -> None:
    (good,) = conclusions.convergence("L1", [2.0, 1.0, 0.5], [1.0, 0.6, 0.65])
    assert good.count("holds here") == 2
    assert "does not" not in good
    (bad,) = conclusions.convergence("L1", [2.0, 2.5], [0.5, 0.5, 0.56])
    assert bad.count("does not hold here") == 2
    (short,) = conclusions.convergence("L1", [2.0, 1.0], [0.5])
    assert "overfitting" in short
    assert "cannot be told here" in short


def test_what_a_mean_absolute_error_says_of_the_distance() -> None:
    """An error along one axis is a third of its length; along all three alike 1/sqrt(3)."""
    low, high = distance_range_cm(MAPNET["resnet34"])
    assert (low, high) == pytest.approx((100 * 0.187 * np.sqrt(3.0), 56.1))


def test_papers_there_are() -> None:
    assert find_paper("000") is PAPERS["000"]
    assert set(LOSSES) == {"smooth_l1", "l1", "mse", "alpha"}
    with pytest.raises(CatalogError, match="'009' cannot be reproduced yet; there is: 000"):
        find_paper("009")
