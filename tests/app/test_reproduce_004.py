"""Paper 004 on coloured patches: what is labelled, trained, kept, controlled and refused."""

import csv
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from coloured_patches import CATEGORIES, write_patches
from sightline.app.papers.paper004 import answers
from sightline.app.papers.paper004.config import Paper004Config
from sightline.app.papers.paper004.published import COMMON, TABLE_1, TABLE_3
from sightline.app.papers.paper004.reproduce import reproduce
from sightline.app.papers.paper004.study import Study
from sightline.app.papers.paper004.unseen_networks import judged
from sightline.app.papers.results import Reproduction, Section
from sightline.datasets.utility import open_pristine
from sightline.errors import InputError, StorageError
from sightline.learning.runs import WEIGHTS
from sightline.records.utility import PristineSet, read_labels
from sightline.tasks.utility.evaluate import run_labels
from sightline.tasks.utility.labelling_predictions import read_predictions

SMALL = Paper004Config(
    qualities="1,30",
    test_qualities="2",
    distort="blur:2",
    classifiers="coloured_patches:first,coloured_patches:second",
    detectors="coloured_patches:finder",
    unseen_classifiers="coloured_patches:other",
    unseen_detectors="coloured_patches:spotter",
    minutes=0.0,
    epochs=1,
    width=0.1,
    weights="none",
    frame_px=32,
    batch=16,
)
#: Everything is labelled and trained once for all tests of this file: half a minute.
pytestmark = pytest.mark.slow

PARTS = ["train"] * 9 + ["validation"] * 9 + ["test"] * 9
FIRST, OTHER = "coloured_patches.first", "coloured_patches.other"


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PristineSet:
    return open_pristine(write_patches(tmp_path_factory.mktemp("data") / "patches", PARTS))


@pytest.fixture(scope="module")
def made(data: PristineSet, tmp_path_factory: pytest.TempPathFactory) -> Reproduction:
    return reproduce(data, SMALL, tmp_path_factory.mktemp("out") / "004")


@pytest.fixture
def study(data: PristineSet, made: Reproduction) -> Study:
    return Study(data, made.folder, SMALL, lambda _stage, _fraction: None)


def section(found: Reproduction, key: str) -> Section:
    (one,) = [s for s in found.sections if s.key == key]
    return one


def test_everything_comes_out_of_one_call(made: Reproduction) -> None:
    keys = ["figure-1", "table-1", "table-2", "figure-2a", "figure-2b", "table-3", "table-4"]
    assert [one.key for one in made.sections] == keys
    for one in made.sections:
        assert all(len(row) == len(one.header) for row in one.rows)
        with (made.folder / f"{one.key}.csv").open(encoding="utf-8") as stream:
            assert [tuple(row) for row in csv.reader(stream)] == [one.header, *one.rows]
        assert all((made.folder / name).is_file() for name in one.pictures)
    kept = json.loads((made.folder / "results.json").read_text())
    assert {one["key"] for one in kept["sections"]} == set(keys)
    assert "NaN" not in (made.folder / "results.json").read_text()
    assert (made.folder / "report.html").is_file()


def test_table_1_has_a_row_for_each_machine_and_the_papers_beside(made: Reproduction) -> None:
    one = section(made, "table-1")
    names = [row[0] for row in one.rows]
    assert names[:4] == [FIRST, "coloured_patches.second", COMMON, "common, mixed distortions"]
    assert names[4:] == [name for name in TABLE_1 if name != COMMON]
    assert [row[-1] for row in one.rows] == ["-", "-", "93.3", "-", "87.5", "84.2", "91.2"]


def test_table_1_counts_all_test_pictures_and_scores_those_with_a_label(
    made: Reproduction, study: Study
) -> None:
    one = section(made, "table-1")
    for name, kind in ((FIRST, "jpeg"), (COMMON, "jpeg"), ("common, mixed distortions", "mixed")):
        machine = name if name == FIRST else COMMON
        test = study.labels_of("classification", machine, kind).part("test")
        counts = one.values[name]["scores"]["counts"]
        assert sum(counts.values()) == len(test) == 18 * (3 if kind == "mixed" else 2)
        said = [item.utility for item in test.items]
        assert (counts["useful"], counts["useless"]) == (said.count(1), said.count(0))
        assert one.values[name]["scores"]["images"] == len(said) - said.count(None)
        assert "JPEG quality alone" in one.values[name]["baselines"]


def test_one_machines_labels_are_its_own_and_a_folder_of_labels(study: Study) -> None:
    every, own = (study.labels_of("classification", name) for name in (COMMON, FIRST))
    assert own.machines == (FIRST,)
    assert [i.utility for i in own.items] == [i.machines[0].utility for i in every.items]
    assert any(a.utility != b.utility for a, b in zip(own.items, every.items, strict=True))
    # so that `sightline evaluate utility RUN` finds them
    assert run_labels(study.run("classification", FIRST)).root.samefile(own.root)


def test_no_predictor_learns_from_the_qualities_of_unseen_networks(
    data: PristineSet, tmp_path: Path
) -> None:
    # balancing draws levels between 1 and 30: some copies are of 2, at which networks are judged
    config = dataclasses.replace(SMALL, test_qualities="2,3,4,5,6")
    study = Study(data, tmp_path / "out", config, lambda *_: None)
    own = study.labels_of("classification", FIRST)
    for labels in (study.labels("classification"), own, study.labels("classification", "mixed")):
        assert not {i.distortion for i in labels.items} & set(config.compressed_for_test())
        assert len(labels.part("test").items) >= 36
    every = read_labels(study.labels("classification").root)
    assert {i.distortion for i in every.items} & set(config.compressed_for_test())
    # photos of the same names are others
    other = dataclasses.replace(data, root=tmp_path / "other")
    shutil.copytree(data.root, other.root)
    again = Study(other, tmp_path / "out", config, lambda *_: None)
    assert again.labels("classification").root != study.labels("classification").root


def test_the_mixed_row_is_held_against_a_rule_that_knows_its_distortions(
    made: Reproduction,
) -> None:
    one = section(made, "table-1")
    said = {note.split(":")[0]: note for note in one.notes}
    assert "'JPEG quality alone' were wanted" in said[COMMON]
    assert "'distortion and level known' were wanted" in said["common, mixed distortions"]
    rule = one.values["common, mixed distortions"]["baselines"]["distortion and level known"]
    assert f"{100 * rule['ahead']['accuracy']:.1f}" in one.rows[3][5]


def test_no_source_is_in_two_parts(study: Study) -> None:
    parts: dict[str, set[str]] = {}
    for task in ("classification", "detection"):
        for item in (*study.labels(task, "mixed").items, *study.labels(task, "test").items):
            parts.setdefault(item.source, set()).add(item.split)
    assert len(parts) == 27
    assert all(len(found) == 1 for found in parts.values())
    assert {i.split for i in study.labels("classification", "test").items} == {"test"}


def test_unseen_machines_answer_but_have_no_say(study: Study) -> None:
    of = judged(study, "classification")
    assert of.unseen == (OTHER,)
    assert {i.distortion.level for i in of.data.items} == {2.0}
    for item in of.data.items:
        said = {one.utility for one in item.machines[:2]}
        assert item.utility == (said.pop() if len(said) == 1 else None)


def test_accuracies_are_those_of_the_machines_answers(
    data: PristineSet, made: Reproduction, study: Study
) -> None:
    of = judged(study, "classification")
    found = read_predictions(of.data.root, OTHER)
    own = [found.classified(found.find(i.image, i.distortion, i.seed)) for i in of.data.items]
    # the data and the machine number their classes differently
    truth = {i.image: data.categories[i.category] for i in data.images}
    right = [
        CATEGORIES[one.predicted] == truth[i.image]
        for one, i in zip(own, of.data.items, strict=True)
    ]
    assert data.categories != CATEGORIES
    assert answers.right(of.data, OTHER).tolist() == right
    values = section(made, "figure-2a").values[OTHER]
    assert values["nothing"]["accuracy"][0] == pytest.approx(np.mean(right))
    assert values["nothing"]["kept"] == 1.0
    # what its own labels call of no use is answered wrongly: leaving it out cannot do harm
    assert values["its own true labels"]["accuracy"][0] >= values["nothing"]["accuracy"][0]
    assert section(made, "table-3").rows[0][1] == f"{100 * np.mean(right):.1f}"


def test_replacing_all_gives_the_uncompressed_map(made: Reproduction) -> None:
    values = section(made, "figure-2b").values["coloured_patches.spotter"]
    assert values["all pictures"]["replaced"] == 1.0
    assert values["nothing"]["replaced"] == 0.0
    assert values["nothing"]["map"] < values["all pictures"]["map"]
    four = section(made, "table-4").values["coloured_patches.spotter"]
    assert four["before"] == values["nothing"]["map"]


def test_inter_task_rows_are_the_same_pictures_by_the_other_predictor(
    made: Reproduction, study: Study
) -> None:
    three = section(made, "table-3")
    assert [row[-2:] for row in three.rows[1:]] == list(TABLE_3.values())
    of = judged(study, "classification")
    model = study.predictor("detection")
    utility = answers.utilities(model, of.data, study.folder / "judged", study.progress)
    kept = float((utility >= model.threshold).mean())
    assert three.values[OTHER]["detection"]["kept"] == kept
    same = three.values[OTHER]["detection, as many kept"]["kept"]
    assert same == three.values[OTHER]["classification"]["kept"]


def test_a_second_call_makes_nothing_anew(data: PristineSet, made: Reproduction) -> None:
    def files() -> dict[Path, int]:
        kinds = ("runs/*/" + WEIGHTS, "labels/*/labels.toml", "judged/*.npy", "judged/*/*/*.csv")
        return {p: p.stat().st_mtime_ns for kind in kinds for p in made.folder.glob(kind)}

    before = files()
    assert len(before) > 10
    again = reproduce(data, dataclasses.replace(SMALL, table=3), made.folder)
    assert files() == before
    assert again.sections == (section(made, "table-3"),)
    kept = json.loads((made.folder / "results.json").read_text())
    assert len(kept["sections"]) == len(made.sections)  # those of the first call stay


def test_without_boxes_the_detectors_tables_are_left_out_or_refused(
    data: PristineSet, tmp_path: Path
) -> None:
    bare = dataclasses.replace(
        data,
        images=tuple(dataclasses.replace(i, boxes=(), box_categories=()) for i in data.images),
    )
    assert not Study(bare, tmp_path, SMALL, lambda *_: None).has_boxes
    with pytest.raises(InputError, match="--detection-data"):
        reproduce(bare, dataclasses.replace(SMALL, table=2), tmp_path)


def test_too_few_pictures_are_named(data: PristineSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"pictures of the part '(test|train)' are wanted"):
        reproduce(data, dataclasses.replace(SMALL, images=1, table=1), tmp_path)


def test_pictures_without_parts_get_some_by_source(data: PristineSet, tmp_path: Path) -> None:
    images = tuple(dataclasses.replace(i, split="") for i in data.images)
    study = Study(dataclasses.replace(data, images=images), tmp_path, SMALL, lambda *_: None)
    assert set(study.data("classification").splits()) == {"train", "validation", "test"}


def test_unseen_machines_are_of_other_families_and_learn_from_the_training_part(
    data: PristineSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.tasks.utility.small import train

    seen = []

    def train_small(architecture, given, config, run_dir, progress):
        seen.append((architecture, given, config.max_seconds, config.epochs))
        return run_dir

    monkeypatch.setattr(train, "train_small", train_small)
    config = dataclasses.replace(SMALL, unseen_classifiers="", unseen_detectors="")
    study = Study(data, tmp_path, config, lambda *_: None)
    made = (*study.unseen("classification"), *study.unseen("detection"))
    assert [one[0] for one in seen] == [
        "alexnet",
        "resnext",
        "efficientnet",
        "retinanet",
        "ssdlite",
    ]
    assert all(Path(run).parents[1] == tmp_path / "machines" for run in made)
    assert [Path(run).name for run in made] == [f"small-{one[0]}" for one in seen]
    assert len({Path(run).parent for run in made}) == 5
    assert all(given.images == data.images for _, given, _, _ in seen)
    assert {seconds for _, _, seconds, _ in seen[:3]} == {60 * config.machine_minutes}
    study.unseen("detection")
    assert len(seen) == 5  # once


def test_rendered_objects_are_none_that_the_packages_machines_know(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: PristineSet
) -> None:
    from sightline.app.papers.paper004 import study as module
    from sightline.worlds.objects import write
    from sightline.worlds.objects.config import ObjectsWorldConfig

    seen = []
    monkeypatch.setattr(write, "write_objects", lambda _folder, world, _p: seen.append(world))
    monkeypatch.setattr(module, "open_pristine", lambda _folder: data)
    for config in (Paper004Config(), Paper004Config(quick=True).effective):
        module.render_world(tmp_path, config, lambda *_: None)
    whole, quick = seen
    assert whole.seed == quick.seed != ObjectsWorldConfig().seed
    for world in seen:
        assert min(world.train_instances, world.validation_instances, world.test_instances) >= 1
    pictures = [12 * world.instances * world.views_per_instance for world in seen]
    assert pictures[0] >= 4000
    assert 240 <= pictures[1] <= 600


def test_a_machine_without_useless_pictures_is_named_and_the_others_have_rows(
    study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.app.papers.paper004 import accuracy, unseen_networks
    from sightline.app.papers.paper004 import reproduce as module

    run = Study.run

    def refuse(self, task, machine=COMMON, kind="jpeg"):
        if machine == FIRST:
            raise InputError("all 53 are useful")
        return run(self, task, machine, kind)

    monkeypatch.setattr(Study, "run", refuse)
    one = accuracy.table1(study, study.folder)
    assert [row[0] for row in one.rows][:2] == ["coloured_patches.second", COMMON]
    assert f"not measured: {FIRST}: all 53 are useful" in one.notes
    conditions = {row[1] for row in unseen_networks.figure2(study, study.folder)[0].rows}
    assert f"predictor, {COMMON}" in conditions
    assert f"predictor, {FIRST}" not in conditions
    with pytest.raises(InputError, match="all 53 are useful"):
        module.figure1(study, study.folder)


def test_where_all_is_asked_for_what_cannot_be_made_is_said(
    data: PristineSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.app.papers.paper004 import reproduce as module

    def refuse(_study, _folder):
        raise InputError("all 53 are useful")

    fine = Section("table-2", "Table II")
    makers = dict.fromkeys(module._MAKERS, lambda _study, _folder: [fine]) | {"table 1": refuse}
    monkeypatch.setattr(module, "_MAKERS", makers)
    found = reproduce(data, SMALL, tmp_path)
    (missing,) = [one for one in found.sections if one.key == "table-1"]
    assert missing.notes == ("not made: all 53 are useful",)
    assert fine in found.sections
    with pytest.raises(InputError, match="all 53"):
        reproduce(data, dataclasses.replace(SMALL, table=1), tmp_path)


def test_a_full_disk_is_no_table_that_cannot_be_made(
    data: PristineSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sightline.app.papers.paper004 import reproduce as module

    def full(_study, _folder):
        raise StorageError("room on the disk is wanted")

    monkeypatch.setattr(module, "_MAKERS", dict.fromkeys(module._MAKERS, full))
    with pytest.raises(StorageError, match="room on the disk"):
        reproduce(data, SMALL, tmp_path)
