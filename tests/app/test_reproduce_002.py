"""Paper 002 reproduced on a dozen pairs of boxes: counts, figures, what is said and kept."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.app.papers import find_paper
from sightline.app.papers.paper002 import figures as figures_module
from sightline.app.papers.paper002 import reproduce as reproduce_module
from sightline.app.papers.paper002 import study as study_module
from sightline.app.papers.paper002.config import Paper002Config
from sightline.app.papers.paper002.counts import dtu_counts
from sightline.app.papers.paper002.examples import choose_examples
from sightline.app.papers.paper002.published import DTU_SCENES, EXAMPLES
from sightline.app.papers.paper002.reproduce import reproduce
from sightline.app.papers.paper002.study import Study, domains_of, with_parts
from sightline.app.papers.paper002.texture import least_textured, texture
from sightline.app.papers.results import Reproduction, Section
from sightline.cli import main as cli
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records.pairs import ImagePair, PairSet, write_pair_set
from sightline.tasks.relative.metrics import PairErrors, roe_deg
from sightline.tasks.relative.predictions import read_predictions

sys.path.insert(0, str(Path(__file__).parents[1] / "tasks" / "relative"))
from box_rooms import make_box_rooms

QUICK = Paper002Config(
    minutes=0, epochs=1, width=0.02, batch=4, max_pairs=6, methods="orb+opencv,sift", high_px=240
)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def quick(**changes: object) -> Paper002Config:
    return dataclasses.replace(QUICK, **changes)


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    """Two scenes a part, one named as a room and one as an object, as rendered rooms are."""
    root = tmp_path_factory.mktemp("data") / "boxes"
    made = make_box_rooms(root, {"train": 2, "validation": 2, "test": 2}, 3)
    kinds = ("room_", "object_")
    pairs = (dataclasses.replace(p, scene=kinds[int(p.scene[-1])] + p.scene) for p in made.pairs)
    named = dataclasses.replace(made, pairs=tuple(pairs))
    write_pair_set(named)
    return named


@pytest.fixture(scope="module")
def made(boxes: PairSet, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return reproduce(boxes, QUICK, tmp_path_factory.mktemp("out") / "002")
    finally:
        torch.set_num_threads(before)


def section(found: Reproduction, key: str) -> Section:
    (one,) = [s for s in found.sections if s.key == key]
    return one


def test_all_of_it_is_printed_and_kept(made: Reproduction) -> None:
    keys = [one.key for one in made.sections]
    assert keys == ["table-1", "figure-5", "figure-6", "figure-7"]
    written = json.loads((made.folder / "results.json").read_text())
    assert [one["key"] for one in written["sections"]] == keys
    for one in made.sections:
        assert {len(row) for row in one.rows} == {len(one.header)}
        for picture in one.pictures:
            with Image.open(made.folder / picture) as drawn:
                assert len(np.unique(np.asarray(drawn.convert("L")))) > 5
    # cnnA and the others of Fig. 5, then cnn-spp on the source and twice fine-tuned: seven
    runs = sorted(path.name.rpartition("-")[0] for path in (made.folder / "runs").iterdir())
    assert runs == [
        "cnnA-all", "cnnAspp-all", "cnnB-all", "cnnBspp-all",
        "cnnBspp-source", "cnnBspp-tuned227", "cnnBspp-tuned240",
    ]  # fmt: skip


def test_counts_stand_beside_the_papers(made: Reproduction) -> None:
    rows = {row[0]: row[1:] for row in section(made, "table-1").rows}
    assert rows["training pairs"] == ("581k (5 landmarks)", "6 (2 scenes)")
    assert rows["validation pairs"] == ("22k (Yorkminster)", "6 (2 scenes)")
    assert rows["pairs of a scene of 49 positions"][0] == "512 of 1176 (77 scenes)"


def test_dtus_counts_are_those_of_its_scenes() -> None:
    def scene(name: str, positions: int) -> list[ImagePair]:
        step = [
            ImagePair(Path(f"{name}/{i}"), Path(f"{name}/{i + 1}"), scene=name)
            for i in range(positions - 1)
        ]
        return [*step, ImagePair(Path(f"{name}/0"), Path(f"{name}/2"), scene=name)]

    pairs = PairSet("dtu", Path(), (*scene("a", 49), *scene("b", 64), *scene("c", 50)))
    assert dtu_counts(pairs) == {49: [49], 64: [64]}
    assert [n * (n - 1) // 2 for n in DTU_SCENES] == [every for _, _, every in DTU_SCENES.values()]
    assert sum(scenes for scenes, _, _ in DTU_SCENES.values()) == 124


def test_networks_are_scored_from_their_saved_answers(made: Reproduction) -> None:
    figure = section(made, "figure-5")
    assert [row[0] for row in figure.rows][:4] == ["cnnA", "cnnB", "cnnAspp", "cnnBspp"]
    assert [row[0].split()[0] for row in figure.rows][4:] == ["constant", "same"]
    (folder,) = (made.folder / "judged").glob("figure-5-*")
    rows = [r for r in read_predictions(folder / "predictions.csv") if r.method == "cnnB"]
    assert len(rows) == 6
    errors = [roe_deg(r.estimate.pose(), r.true) for r in rows]
    assert figure.values["cnnB"]["median_roe_deg"] == pytest.approx(np.median(errors))
    notes = " ".join(figure.notes)
    assert "the paper prints no numbers" in notes
    assert "SPP improves (cnnBspp over cnnB)" in notes
    assert "1 epochs of 6 pairs" in notes
    assert "from scratch at 0.02" in notes


def test_examples_stand_beside_the_papers(made: Reproduction) -> None:
    figure = section(made, "figure-6")
    assert [row[0] for row in figure.rows] == ["a", "a", "b", "b", "c", "c"]
    assert [row[3] for row in figure.rows][:2] == ["92.35 (52.66)", "57.86 (29.27)"]
    assert [row[5] for row in figure.rows][4:] == ["3.23 (41.15)", "15.42 (57.62)"]
    assert any("not to be compared" in note for note in figure.notes)


def test_methods_meet_at_each_size(made: Reproduction) -> None:
    figure = section(made, "figure-7")
    names = [row[1] for row in figure.rows if row[0] == "all pairs"]
    for size in ("227x227", "crop"):
        assert {f"{name}, {size}" for name in ("sift", "orb+opencv", "cnn-spp source")} <= set(
            names
        )
    assert "sift, full" in names
    assert "cnn-spp fine-tuned high-res, high (240)" in names
    hard = [row for row in figure.rows if row[0].startswith("hard")]
    assert [row[1] for row in hard] == names
    assert {row[2] for row in hard} == {"1"}  # a quarter of the three object pairs
    assert any(note.startswith("hard: the pairs whose plainer photo") for note in figure.notes)


def test_nothing_is_made_twice(
    made: Reproduction, boxes: PairSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.tasks.relative.predict import RelativeModel

    monkeypatch.setattr(RelativeModel, "relate", lambda *_: pytest.fail("judged again"))
    asked = []
    again = reproduce(boxes, quick(figure=5), made.folder, lambda *said: asked.append(said))
    assert again.sections[0].rows == section(made, "figure-5").rows
    assert not any("epoch" in stage for stage, _ in asked)
    # other pairs are judged anew: the guard is seen to work
    with pytest.raises(pytest.fail.Exception, match="judged again"):
        reproduce(boxes, quick(figure=5, max_pairs=4), made.folder)


def test_without_data_rooms_are_rendered(
    boxes: PairSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        reproduce_module, "rendered", lambda folder, *_: asked.append(folder) or boxes
    )
    found = reproduce(None, quick(table=1), tmp_path)
    assert asked == [tmp_path / "rooms"]
    assert found.folder == tmp_path


def test_another_target_is_split_by_scene(boxes: PairSet) -> None:
    bare = tuple(dataclasses.replace(pair, split="") for pair in boxes.pairs)
    parts = with_parts(dataclasses.replace(boxes, pairs=bare))
    of_scene = {
        pair.scene: {p.split for p in parts.pairs if p.scene == pair.scene} for pair in bare
    }
    assert all(len(split) == 1 for split in of_scene.values())
    assert parts.splits() == {"train": 9, "test": 9}
    assert with_parts(boxes) is boxes
    one = with_parts(dataclasses.replace(boxes, pairs=bare[:3]))
    assert one.splits() == {"test": 3}


def test_sets_of_one_kind_are_source_and_target_at_once(boxes: PairSet) -> None:
    plain = tuple(dataclasses.replace(p, scene=p.scene.replace("_", "")) for p in boxes.pairs)
    domains = domains_of(dataclasses.replace(boxes, pairs=plain), None)
    assert domains.source is domains.target
    assert not domains.can_fine_tune
    two = domains_of(boxes, None)
    assert two.can_fine_tune
    assert {p.scene[:5] for p in two.source.pairs} == {"room_"}
    assert {p.scene[:7] for p in two.target.pairs} == {"object_"}
    given = domains_of(boxes, boxes.root)
    assert given.source is boxes
    assert len(given.target) == len(boxes)


def test_a_method_that_is_not_here_is_left_out_and_named(
    boxes: PairSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.tasks.relative import classical

    why = {"orb+opencv": "no ORB here", "sift": None}
    monkeypatch.setattr(classical, "available", lambda name: why[name])
    study = Study(boxes, tmp_path, QUICK, lambda *_: None)
    methods, notes = study.classical()
    assert list(methods) == ["sift"]
    assert notes == ["orb+opencv is left out: no ORB here"]
    why["sift"] = "no SIFT here"
    with pytest.raises(InputError, match="no ORB here; sift is left out"):
        study.classical()


def test_examples_are_chosen_by_the_stated_rule() -> None:
    classical = PairErrors(
        np.array([1.0, 80, np.inf, 70, 2, 3]), np.array([2.0, 90, np.inf, 10, 5, 4])
    )
    network = PairErrors(np.array([5.0, 20, 30, 90, 8, 3]), np.array([50.0, 30, 40, 30, 90, 6]))
    found = choose_examples(classical, network)
    assert found == {"a": [2, 1], "b": [5, 3], "c": [4, 0]}
    assert {kind: len(both) for kind, both in EXAMPLES.items()} == {"a": 2, "b": 2, "c": 2}


def test_texture_is_low_on_plain_walls_and_noise_counts_for_little() -> None:
    rng = np.random.default_rng(0)
    board = np.kron(rng.integers(0, 2, (24, 32)) * 200, np.ones((20, 20)))
    plain = np.full((480, 640), 120.0)
    plain[:, 320:] = 240  # one strong edge
    noisy = plain + rng.normal(0, 4, plain.shape)
    grey = [
        np.repeat(np.clip(g, 0, 255).astype(np.uint8)[..., None], 3, 2)
        for g in (board, plain, noisy)
    ]
    textured, flat, grainy = (texture(image) for image in grey)
    assert flat == pytest.approx(10 * 2 / 128)  # the edge: two columns of 128, capped
    assert grainy < 1
    assert textured > 4
    assert least_textured(np.array([3.0, 1.0, 2.0, 1.0]), 0.5).tolist() == [
        False,
        True,
        False,
        True,
    ]
    assert least_textured(np.array([3.0, 1.0]), 0.01).sum() == 1


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="methods with commas"):
        Paper002Config(methods=" , ")
    with pytest.raises(InputError, match="high_px"):
        Paper002Config(high_px=100)
    with pytest.raises(InputError, match="epochs"):
        Paper002Config(minutes=0)


def test_every_training_has_the_same_budget() -> None:
    config = Paper002Config(minutes=3)
    four = [config.run_config(name) for name in ("cnnA", "cnnB", "cnnAspp", "cnnBspp")]
    assert {(c.max_seconds, c.batch, c.learning_rate, c.width, c.seed) for c in four} == {
        (180.0, 32, 5e-4, 0.25, 0)
    }
    assert [c.crop_px for c in four] == [(227, 227), (227, 227), (323, 227), (323, 227)]
    assert config.run_config("cnnBspp", size=400).crop_px == (400, 400)


def test_from_the_command_line(
    boxes: PairSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["reproduce", "002", str(boxes.root), "--table", "1", "--out", str(tmp_path)]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "581k (5 landmarks)" in printed
    assert f"results: {tmp_path}" in printed
    images = (boxes.root / name for name in (boxes.pairs[0].image_a, boxes.pairs[0].image_b))
    bare = PairSet("bare", tmp_path / "bare", (ImagePair(*images, Pose.identity()),))
    write_pair_set(bare)
    assert cli.main(["reproduce", "002", str(bare.root), "--table", "1"]) == 2
    assert "'train' are wanted" in capsys.readouterr().err


def test_the_papers_parts_are_where_they_are_said_to_be() -> None:
    paper = find_paper("002")
    assert paper.load("config") is Paper002Config
    assert paper.load("reproduce") is reproduce
    assert not paper.needs_data
    assert study_module.Study is figures_module.Study
