"""Labels of utility: exact truth from machines whose answers are known, caching, going on."""

import json
import logging
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from coloured_images import SizeReader, SquareFinder, coloured_set
from PIL import Image

from sightline.datasets.utility import open_pristine
from sightline.errors import InputError
from sightline.media.distortions import Distortion
from sightline.records.utility import LabelCounts, PristineSet
from sightline.records.utility_files import read_header, read_labels
from sightline.tasks.utility.label_options import LabelOptions
from sightline.tasks.utility.labelling import write_utility_labels
from sightline.tasks.utility.labelling_plan import entries_of
from sightline.tasks.utility.labelling_predictions import (
    PREDICTIONS,
    read_machine,
    read_predictions,
)
from sightline.tasks.utility.labelling_ray import _text, _Worker
from sightline.tasks.utility.labelling_shards import Outcome, Shard, ShardJob

SIZES = ("downscale:2,3,4,8",)
PLAIN = LabelOptions(qualities="", distort=SIZES, balance=False, shard=4, batch=5)
NONE = Distortion("none")


@pytest.fixture
def data(tmp_path: Path) -> PristineSet:
    return coloured_set(tmp_path / "images")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_each_outcome_of_the_definition_is_counted_apart(data, tmp_path):
    """PITFALL 22: right but unsure, and wrong but not surely so, have no label and are counted."""
    report = write_utility_labels(data, tmp_path / "out", PLAIN, machines=[SizeReader()])
    assert report.by_distortion == (
        ("downscale:2", 12, 0, 0),
        ("downscale:3", 0, 0, 12),
        ("downscale:4", 0, 12, 0),
        ("downscale:8", 0, 0, 12),
    )
    assert report.counts.machines == (LabelCounts(useful=12, useless=12, between=24),)
    assert report.counts.combined == report.counts.machines[0]
    assert report.tables()[0][1:] == [
        ["reader", "12", "12", "24", "0", "0", "48"],
        ["combined", "12", "12", "24", "0", "0", "48"],
    ]
    labels = read_labels(report.folder)
    first = {str(item.distortion): item.machines[0] for item in labels.items[:4]}
    assert [first[f"downscale:{k}"].utility for k in (2, 3, 4, 8)] == [1, None, 0, None]
    assert [round(first[f"downscale:{k}"].confidence, 6) for k in (2, 3, 4, 8)] == [
        *(0.95, 0.6, 0.05, 0.3),
    ]
    assert {round(label.reference, 6) for label in first.values()} == {0.97}
    assert first["downscale:2"].energy == pytest.approx(-0.95)


def test_thresholds_decide_what_lies_between(data, tmp_path):
    """PITFALL 22, the other side: with T_H 0.5 and T_L 0.4 every image has a label."""
    wide = replace(PLAIN, high=0.5, low=0.4)
    report = write_utility_labels(data, tmp_path / "out", wide, machines=[SizeReader()])
    assert report.counts.combined == LabelCounts(useful=24, useless=24)


def test_a_pristine_image_that_fails_is_no_loss_of_utility(data, tmp_path):
    machines = [SizeReader(), SizeReader("blind", "9", blind_to=2)]
    report = write_utility_labels(data, tmp_path / "out", PLAIN, machines=machines)
    assert report.counts.machines[1] == LabelCounts(useful=8, useless=8, between=16, failed=16)
    assert report.counts.combined == LabelCounts(useful=8, useless=8, between=16, failed=16)
    blue = [item for item in read_labels(report.folder).items if item.image.stem == "02"]
    assert [item.machines[0].utility for item in blue] == [1, None, 0, None]
    assert all(item.utility is None for item in blue)
    assert all(item.machines[1].failed for item in blue)


def test_operators_join_the_machines(data, tmp_path):
    machines = [SizeReader(), SizeReader("blind", "9", blind_to=2)]
    options = replace(PLAIN, operator="max")
    report = write_utility_labels(data, tmp_path / "out", options, machines=machines)
    # f > 0 where the probability is above 0.5: downscale:2 and :3, whatever the blind one says
    assert report.counts.combined == LabelCounts(useful=24, useless=24)


def test_without_truth_the_pristine_answer_is_the_truth(data, tmp_path):
    bare = replace(data, images=tuple(replace(i, category=None) for i in data.images))
    machine = SizeReader("blind", "9", blind_to=2)
    report = write_utility_labels(bare, tmp_path / "out", PLAIN, machines=[machine])
    # what it takes blue for, it goes on taking it for, with the same probability
    assert report.counts.combined == LabelCounts(useful=8 + 4 * 4, useless=8, between=16)
    assert read_header(report.folder).truth == "pristine predictions"
    # the pristine answer is found again where only distorted ones are new
    machine.shown.clear()
    more = replace(PLAIN, distort=("downscale:2,3,4,8", "downscale:5"))
    again = write_utility_labels(bare, tmp_path / "out", more, machines=[machine])
    assert len(machine.shown) == 12
    assert again.by_distortion[:4] == report.by_distortion
    fresh = write_utility_labels(bare, tmp_path / "new", more, machines=[machine])
    assert again.counts == fresh.counts


def test_only_what_is_new_is_asked(data, tmp_path):
    out, machine = tmp_path / "out", SizeReader()
    first = write_utility_labels(data, out, PLAIN, machines=[machine])
    assert (first.computed, first.kept, len(machine.shown)) == (60, 0, 60)
    before = files_of(out)
    again = write_utility_labels(data, out, PLAIN, machines=[machine])
    assert (again.computed, again.kept, len(machine.shown)) == (0, 60, 60)
    assert files_of(out) == before
    more = replace(PLAIN, qualities="50", distort=SIZES)
    third = write_utility_labels(data, out, more, machines=[machine])
    assert (third.computed, third.kept, len(machine.shown)) == (12, 60, 72)
    other = SizeReader("other", "2")
    fourth = write_utility_labels(data, out, more, machines=[machine, other])
    assert (fourth.computed, fourth.kept, len(machine.shown)) == (72, 72, 72)
    changed = SizeReader("other", "3", blind_to=0)
    fifth = write_utility_labels(data, out, more, machines=[changed])
    assert (fifth.computed, fifth.counts.combined.failed) == (72, 20)


def test_a_changed_image_is_asked_again(data, tmp_path):
    out, machine = tmp_path / "out", SizeReader()
    write_utility_labels(data, out, PLAIN, machines=[machine])
    # the first picture turns from red to green: its class is wrong now
    Image.fromarray(np.full((32, 32, 3), (0, 220, 0), np.uint8)).save(data.root / "00.png")
    machine.shown.clear()
    report = write_utility_labels(data, out, PLAIN, machines=[machine])
    assert (report.computed, len(machine.shown)) == (5, 5)
    assert report.counts.combined.failed == 4


def test_a_call_that_was_stopped_goes_on_to_the_same_files(data, tmp_path):
    options = replace(PLAIN, distort=("downscale:2,4", "noise:5"), balance=True, shard=3)
    machines = [SizeReader(), SizeReader("blind", "9", blind_to=2)]
    whole = write_utility_labels(data, tmp_path / "whole", options, machines=machines)
    report = None
    for most in range(1, 60, 4):
        told = 0

        def stop(_text: str, _fraction: float, most: int = most) -> None:
            nonlocal told
            told += 1
            if told > most:
                raise KeyboardInterrupt

        try:
            report = write_utility_labels(data, tmp_path / "out", options, stop, machines)
            break
        except KeyboardInterrupt:
            assert not list((tmp_path / "out").rglob(".*"))
    assert most > 9
    assert report is not None
    assert report.counts == whole.counts
    assert files_of(tmp_path / "out") == {
        name: content.replace(b"whole", b"out") for name, content in files_of(whole.folder).items()
    }


def test_what_a_killed_process_left_is_removed(data, tmp_path):
    report = write_utility_labels(data, tmp_path / "out", PLAIN, machines=[SizeReader()])
    before = files_of(report.folder)
    machine = next((report.folder / PREDICTIONS).glob("reader-*"))
    (machine / ".00000-0.npz.77-0.tmp.npz").write_bytes(b"half")
    write_utility_labels(data, tmp_path / "out", PLAIN, machines=[SizeReader()])
    assert files_of(report.folder) == before
    shard = min(machine.glob("0*.npz"))
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(InputError, match="damaged"):
        write_utility_labels(data, tmp_path / "out", PLAIN, machines=[SizeReader()])


def test_the_size_of_groups_changes_nothing(data, tmp_path, monkeypatch):
    report = write_utility_labels(data, tmp_path / "a", PLAIN, machines=[SizeReader()])
    monkeypatch.setattr("sightline.tasks.utility.labelling_shards._WAITING_BYTES", 4000)
    one = replace(PLAIN, batch=1, shard=7)
    other = write_utility_labels(data, tmp_path / "b", one, machines=[SizeReader()])
    assert (other.folder / "labels.csv").read_bytes() == (report.folder / "labels.csv").read_bytes()


def test_detectors_find_boxes_in_the_pristine_images_pixels(data, tmp_path):
    options = replace(PLAIN, task="detection", distort=("downscale:2", "lowlight:0.1"))
    report = write_utility_labels(data, tmp_path / "out", options, machines=[SquareFinder()])
    assert report.by_distortion == (("downscale:2", 12, 0, 0), ("lowlight:0.1", 0, 12, 0))
    found = read_predictions(report.folder, "finder")
    assert (found.kind, found.categories[0], len(found)) == ("detection", "background", 36)
    for item in read_labels(report.folder).items:
        row = found.find(item.image, item.distortion, item.seed, item.augmented)
        answer = found.detected(row)
        if item.distortion.kind == "downscale":
            assert answer.boxes.tolist() == [list(map(float, (6, 10, 20, 26)))] * 2
            assert answer.labels.tolist() == [int(item.image.stem) % 3 + 1, 0]
            np.testing.assert_allclose(answer.scores, [0.9, 0.3])
        else:
            assert len(answer.scores) == 0
        assert found.made(row).width == 32
    pristine = found.detected(found.find("05.png", NONE))
    assert pristine.labels[0] == 3
    assert found.find("05.png", Distortion("jpeg", 1)) is None
    with pytest.raises(InputError, match="answers of vgg19 are wanted; there are those of"):
        read_predictions(report.folder, "vgg19")


def test_a_detector_without_truth_is_judged_by_its_pristine_answer(data, tmp_path):
    bare = replace(data, images=tuple(replace(i, boxes=(), box_categories=()) for i in data.images))
    options = replace(PLAIN, task="detection", distort=("downscale:2", "lowlight:0.1"))
    report = write_utility_labels(bare, tmp_path / "out", options, machines=[SquareFinder()])
    assert report.counts.combined == LabelCounts(useful=12, useless=12)
    # known to show no object: the pristine image fails
    one = replace(data, images=(bare.images[0], *data.images[1:]))
    report = write_utility_labels(one, tmp_path / "one", options, machines=[SquareFinder()])
    assert report.counts.combined == LabelCounts(useful=11, useless=11, failed=2)


def test_images_of_one_source_stay_in_one_split(data, tmp_path):
    tied = replace(
        data, images=tuple(replace(i, source=f"s{k // 3}") for k, i in enumerate(data.images))
    )
    report = write_utility_labels(tied, tmp_path / "out", PLAIN, machines=[SizeReader()])
    splits: dict[str, set[str]] = {}
    for item in read_labels(report.folder).items:
        splits.setdefault(item.source, set()).add(item.split)
    assert len(splits) == 4
    assert all(len(parts) == 1 for parts in splits.values())
    assert {part for parts in splits.values() for part in parts} == {"train", "validation", "test"}


def test_odd_files_are_named_or_taken(tmp_path):
    root = tmp_path / "odd"
    for name in ("red", "green", "blue"):
        (root / name).mkdir(parents=True)  # blue stays empty
    good = np.zeros((32, 32, 3), np.uint8)
    good[..., 0] = 220
    Image.fromarray(good).save(root / "red" / "good.png")
    Image.fromarray(good[..., (1, 0, 2)]).save(root / "green" / "whole.jpg", quality=95)
    noisy = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(noisy).save(root / "red" / "cut.jpg", quality=95)
    content = (root / "red" / "cut.jpg").read_bytes()
    (root / "red" / "cut.jpg").write_bytes(content[: len(content) // 2])
    (root / "red" / "text.jpg").write_text("no picture")
    rgba = np.dstack([good, np.full((32, 32), 200, np.uint8)])
    Image.fromarray(rgba).save(root / "red" / "alpha.png")
    frames = [Image.fromarray(good), Image.fromarray(good[..., ::-1])]
    frames[0].save(root / "red" / "moving.gif", save_all=True, append_images=frames[1:])
    Image.fromarray(good[:1, :1]).save(root / "red" / "dot.png")
    data = open_pristine(root)
    report = write_utility_labels(data, tmp_path / "out", PLAIN, machines=[SizeReader()])
    assert [path.name for path, _ in report.skipped] == ["cut.jpg"]
    assert "cut.jpg" in report.skipped[0][1]
    items = read_labels(report.folder).items
    assert {i.image.name for i in items} == {
        *("good.png", "whole.jpg", "alpha.png", "moving.gif", "dot.png")
    }
    # the dot is narrower than the reader wants: it fails pristine
    assert {i.image.name for i in items if i.machines[0].failed} == {"dot.png"}
    left_out = " ".join(reason for reason, _ in read_header(report.folder).left_out)
    assert "cut.jpg" in left_out
    assert "text.jpg" in left_out


def test_an_image_that_a_machine_refuses_is_skipped(data, tmp_path):
    machines = [SizeReader(), SizeReader("shy", "5", refuses=1)]
    report = write_utility_labels(data, tmp_path / "out", PLAIN, machines=machines)
    assert [path.name for path, _ in report.skipped] == [f"{k:02d}.png" for k in (1, 4, 7, 10)]
    assert report.skipped[0][1] == "shy refuses it: no such colour is wanted"
    assert report.counts.combined.total == 8 * 4
    assert report.images == 8


@pytest.mark.parametrize("count", [1, 40])
def test_machines_that_are_never_right_are_named(tmp_path, count):
    data = coloured_set(tmp_path / "images", count)
    wrong = SizeReader("wrong", "4")
    wrong.categories = ("green", "blue", "red")  # knows the names, not the colours
    message = (
        f"no image has a label: of {count} pristine images wrong is right on 0; choose machines "
        "that know what the images show"
    )
    with pytest.raises(InputError, match=f"^{message}$"):
        write_utility_labels(data, tmp_path / "out", PLAIN, machines=[wrong])
    assert not (tmp_path / "out" / "labels.toml").exists()


def test_one_image_alone_has_labels(tmp_path):
    data = coloured_set(tmp_path / "images", 1)
    report = write_utility_labels(
        data, tmp_path / "out", replace(PLAIN, balance=True), machines=[SizeReader()]
    )
    assert report.counts.combined == LabelCounts(useful=1, useless=1, between=2)
    (data.root / "00.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"not one of 1 images could be labelled; 00\.png: "):
        write_utility_labels(data, tmp_path / "new", PLAIN, machines=[SizeReader()])


def test_what_cannot_work_is_said_in_one_line(data, tmp_path):
    out = tmp_path / "out"

    def refused(match: str, machines=(), **changes: object) -> None:
        with pytest.raises(InputError, match=match):
            write_utility_labels(data, out, replace(PLAIN, **changes), machines=machines)
        assert not out.exists()

    refused("one machine or more")
    refused("each of a name of its own, is wanted; reader, reader", [SizeReader(), SizeReader()])
    refused("machines for detection are wanted, reader", [SizeReader()], task="detection")
    refused("distortions are wanted", [SizeReader()], distort=())
    cats = SizeReader(categories=("cat", "dog", "cow"))
    refused(r"knows classes of colours \(red, green, blue\) is wanted; reader knows cat", [cats])


def test_the_users_files_are_left_alone(data, tmp_path):
    machines = [SizeReader()]
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other things"):
        write_utility_labels(data, tmp_path / "full", PLAIN, machines=machines)
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["thesis.txt"]
    write_utility_labels(data, tmp_path / "out", PLAIN, machines=machines)
    other = coloured_set(tmp_path / "others", 3)
    before = files_of(tmp_path / "out")
    with pytest.raises(InputError, match="holds labels of other images"):
        write_utility_labels(other, tmp_path / "out", PLAIN, machines=machines)
    assert files_of(tmp_path / "out") == before


def test_labels_move_with_their_images(data, tmp_path):
    report = write_utility_labels(
        data, data.root / "runs" / "labels", PLAIN, machines=[SizeReader()]
    )
    shutil.move(data.root, tmp_path / "moved")
    moved = read_labels(tmp_path / "moved" / "runs" / "labels")
    assert moved.images_root.resolve() == (tmp_path / "moved").resolve()
    assert len(moved) == report.counts.combined.total


def test_progress_says_how_fast_and_how_long(data, tmp_path):
    told: list[tuple[str, float]] = []
    write_utility_labels(
        data,
        tmp_path / "out",
        PLAIN,
        lambda text, done: told.append((text, done)),
        [SizeReader()],
    )
    assert told[0][0].startswith("labels up to 10%: 5 of 60 answers, ")
    assert "answers/s" in told[0][0]
    assert told[0][0].endswith("left")
    assert [done for _, done in told] == sorted(done for _, done in told)
    assert told[-2][1] == told[-1][1] == 1.0


def test_predictions_hold_no_pickle_and_are_small(data, tmp_path):
    report = write_utility_labels(data, tmp_path / "out", PLAIN, machines=[SizeReader()])
    folder = next((report.folder / PREDICTIONS).glob("reader-*"))
    assert len(read_machine(folder)) == 60
    for shard in folder.glob("*.npz"):
        with np.load(shard, allow_pickle=False) as archive:
            assert all(not archive[name].dtype.hasobject for name in archive.files)


@pytest.mark.slow
# Ray's own defaults trip over Ray's own deprecations.
@pytest.mark.filterwarnings("ignore:`use_push_based_shuffle` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`use_polars` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:`use_arrow_tensor_v2` is deprecated:DeprecationWarning")
def test_a_ray_cluster_writes_the_same_files(data, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # workers cannot import a test's modules; the machines go to them as they are
    ray.cloudpickle.register_pickle_by_value(sys.modules[SizeReader.__module__])
    (data.root / "04.png").write_bytes(b"broken")
    options = replace(PLAIN, distort=("downscale:2,4", "noise:5"), balance=True, copies=1)
    machines = [SizeReader(), SizeReader("blind", "9", blind_to=2)]
    alone = write_utility_labels(data, tmp_path / "one", options, machines=machines)
    told: list[float] = []
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        many = write_utility_labels(
            data,
            tmp_path / "two",
            replace(options, ray=True),
            lambda _, done: told.append(done),
            machines,
        )
    finally:
        ray.shutdown()
    assert many.counts == alone.counts
    assert (many.computed, many.kept) == (alone.computed, alone.kept)
    assert [path.name for path, _ in many.skipped] == ["04.png"]
    assert files_of(many.folder) == files_of(alone.folder)
    assert max(told) == 1.0


def test_a_worker_without_the_machines_says_so_in_a_line(data, tmp_path):
    job = ShardJob(data.root, tmp_path / "predictions", 4)
    entries = entries_of(data, [SizeReader()], PLAIN.distortions(), 0)
    row = {"shard": _text(Shard(0, entries[:2]))}
    other = _Worker(lambda: [SizeReader()], ["77"], job)(row)
    assert other["error"].startswith("the machines 77 are wanted on all computers; 1 were loaded")
    right = _Worker(lambda: [SizeReader()], ["1"], job)(row)
    assert right["error"] == ""
    names = [Outcome(*fields).image for fields in json.loads(right["outcomes"])]
    assert names == ["00.png", "01.png"]


def test_shards_that_travel_to_workers_are_answered_the_same(data, tmp_path, monkeypatch):
    def rows_elsewhere(worker, arguments, rows):
        """Two workers by turns, out of order, what they get and give as it travels."""
        workers = [worker(*arguments) for _ in range(2)]
        for k, row in enumerate(reversed(rows)):
            yield json.loads(json.dumps(workers[k % 2](json.loads(json.dumps(row)))))

    monkeypatch.setattr("sightline.tasks.utility.labelling_ray.ray_rows", rows_elsewhere)
    (data.root / "04.png").write_bytes(b"broken")
    options = replace(PLAIN, distort=("downscale:2,4", "noise:5"), balance=True, copies=1)
    machines = [SizeReader(), SizeReader("blind", "9", blind_to=2)]
    alone = write_utility_labels(data, tmp_path / "one", options, machines=machines)
    told: list[float] = []
    many = write_utility_labels(
        data,
        tmp_path / "two",
        replace(options, ray=True),
        lambda _, done: told.append(done),
        machines,
    )
    assert (many.counts, many.computed) == (alone.counts, alone.computed)
    assert [path.name for path, _ in many.skipped] == ["04.png"]
    assert files_of(many.folder) == files_of(alone.folder)
    assert told[-1] == 1.0


def test_a_photo_that_is_there_twice_is_in_one_split_only(data, tmp_path):
    """PITFALL 11: copies under another name are copies of one source still."""
    root = tmp_path / "images"
    for image in data.images:
        shutil.copy(root / image.image, root / image.image.with_stem(f"{image.image.stem}-copy"))
    twice = tuple(
        replace(image, image=image.image.with_stem(image.image.stem + end), source="", split="")
        for image in data.images
        for end in ("", "-copy")
    )
    report = write_utility_labels(
        replace(data, images=twice), tmp_path / "out", PLAIN, machines=[SizeReader()]
    )
    splits: dict[str, set[str]] = {}
    for item in read_labels(report.folder).items:
        splits.setdefault(item.image.stem.removesuffix("-copy"), set()).add(item.split)
    assert len(splits) == len(data)
    assert all(len(found) == 1 for found in splits.values())
    assert report.skipped
    assert all("the same photo as" in reason for _, reason in report.skipped)
    assert len(read_header(report.folder).left_out) == len(report.skipped)


def test_names_that_are_no_utf8_and_odd_spaces(tmp_path):
    root = tmp_path / "odd"
    root.mkdir()
    names = (b"caf\xe9.png", b" blank .png", b"plain.png")
    for level, name in zip((60, 120, 200), names, strict=True):
        Image.new("RGB", (32, 32), (level, 0, 0)).save(root / "new.png")
        (root / "new.png").rename(root / os.fsdecode(name))
    broken = root / os.fsdecode(b"caf\xe9-cut.png")
    broken.write_bytes((root / "plain.png").read_bytes()[:-30])
    data = open_pristine(root)
    report = write_utility_labels(data, tmp_path / "out", PLAIN, machines=[SizeReader()])
    assert [path.name for path, _ in report.skipped] == [broken.name]
    items = read_labels(report.folder).items
    assert {item.image.name for item in items} == {os.fsdecode(name) for name in names}
    found = read_predictions(report.folder, "reader")
    assert all(found.find(item.image, NONE) is not None for item in items)


def test_a_call_stopped_between_the_tables_goes_on(data, tmp_path):
    out = tmp_path / "out"
    first = write_utility_labels(data, out, PLAIN, machines=[SizeReader()])
    (out / "labels.toml").unlink()
    again = write_utility_labels(data, out, PLAIN, machines=[SizeReader()])
    assert (again.computed, again.counts) == (0, first.counts)


def test_a_network_that_was_changed_back_gives_its_own_answers(data, tmp_path):
    out = tmp_path / "out"
    for machine in (SizeReader(), SizeReader("reader", "8", blind_to=2), SizeReader()):
        write_utility_labels(data, out, PLAIN, machines=[machine])
    assert read_predictions(out, "reader").digest == SizeReader().digest
