"""Methods that answer by rule on pairs of tiny pictures: saved, resumed, scored from the file."""

import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records.pairs import ImagePair, PairSet
from sightline.records.views import RelativeEstimate, View
from sightline.tasks.relative import report
from sightline.tasks.relative.evaluate import METRICS, PREDICTIONS, evaluate_methods
from sightline.tasks.relative.predictions import PREDICTIONS_COLUMNS, read_predictions
from sightline.tasks.relative.report import score_rows, set_notes


def make_set(root: Path, name: str = "toys", count: int = 6, seed: int = 0) -> PairSet:
    """Pairs whose first image's grey level is the pair's number."""
    root.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(count):
        for side in "ab":
            Image.new("RGB", (8, 6), (10 * i, 0, 0)).save(root / f"{i}{side}.png")
        turn = Rotation.from_rotvec(np.deg2rad(10 * i + 1) * np.array([0, 1.0, 0]))
        pose = Pose.from_rotation(turn, rng.normal(size=3))
        pairs.append(
            ImagePair(Path(f"{i}a.png"), Path(f"{i}b.png"), pose, overlap=(i + 0.5) / count)
        )
    return PairSet(name, root, tuple(pairs), "m")


@pytest.fixture(autouse=True)
def _without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests look at numbers alone; pictures take seconds."""
    if "put_in" not in request.node.name:
        monkeypatch.setattr(report, "write_report", lambda *_: [])


class Oracle:
    """Knows the truth, turned by so many degrees about the viewing axis; fails where told to."""

    def __init__(self, pairs: PairSet, off_deg: float = 0.0, fails: tuple[int, ...] = ()) -> None:
        self.name = f"oracle {off_deg:g}"
        self.calls: Counter[int] = Counter()
        self.stop_at: int | None = None
        self._poses = [pair.b_from_a for pair in pairs.pairs]
        self._off = Rotation.from_euler("z", off_deg, degrees=True)
        self._fails = fails

    def relate(self, a: View, b: View) -> RelativeEstimate:
        number = int(a.image[0, 0, 0]) // 10
        if number == self.stop_at:
            raise KeyboardInterrupt
        self.calls[number] += 1
        if number in self._fails:
            return RelativeEstimate("failed", self.name, None, seconds=0.5, reason="3 matches")
        pose = self._poses[number]
        answer = Pose.from_rotation(self._off * pose.rotation, pose.translation)
        return RelativeEstimate(
            "ok", self.name, answer, inliers=9, matches=10, confidence=0.75, seconds=0.25
        )


@pytest.fixture
def toys(tmp_path: Path) -> PairSet:
    return make_set(tmp_path / "toys")


def test_scores_are_those_of_the_errors_that_were_put_in(toys: PairSet, tmp_path: Path) -> None:
    methods = [Oracle(toys), Oracle(toys, 4.0, fails=(1, 2))]
    metrics = evaluate_methods([toys], methods, tmp_path / "out")
    table = metrics["sets"]["toys"]["methods"]
    assert list(table)[:2] == ["oracle 0", "oracle 4"]
    perfect, off = table["oracle 0"], table["oracle 4"]
    assert perfect["median_roe_deg"] < 1e-6
    assert perfect["auc"]["5"] == pytest.approx(1)
    assert (off["pairs"], off["answered"], off["failed"]) == (6, 4, 2)
    assert off["median_roe_deg"] == pytest.approx(4)
    assert off["median_rte_deg"] == pytest.approx(0, abs=1e-6)
    assert off["within"]["5"] == pytest.approx(4 / 6)
    # all four errors are 4: a straight line from (0, 0) to (4, 1/6), up to 4/6, then flat to 5
    assert off["auc"]["5"] == pytest.approx((4 * (1 / 6) / 2 + 4 / 6) / 5, abs=1e-6)
    assert off["reasons"] == {"3 matches": 2}
    assert off["median_seconds"] == 0.25
    # angles between the views are 1, 11, 21, 31, 41, 51 degrees
    assert off["near_views"]["pairs"] == 3
    assert {k: v["pairs"] for k, v in off["by_view_angle_deg"].items()} == {
        "0-10": 1, "10-20": 1, "20-30": 1, "30-60": 3,
    }  # fmt: skip
    assert sum(v["pairs"] for v in off["by_overlap"].values()) == 6
    assert off["reliability"]["bins"][-1]["true"] == 1.0
    assert json.loads((tmp_path / "out" / METRICS).read_text()) == metrics
    for name in ("errors", "by_overlap", "by_view_angle_deg", "confidence"):
        with Image.open(tmp_path / "out" / "plots" / f"00-toys-{name}.png") as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 5


def test_rows_are_found_by_name_never_by_position(toys: PairSet, tmp_path: Path) -> None:
    out = tmp_path / "out"
    before = evaluate_methods([toys], [Oracle(toys, 4.0)], out)
    header, *lines = (out / PREDICTIONS).read_text().splitlines()
    assert tuple(header.split(",")) == PREDICTIONS_COLUMNS
    (out / PREDICTIONS).write_text("\n".join([header, *lines[::-1]]) + "\n")
    turned = replace(toys, pairs=toys.pairs[::-1])
    method = Oracle(toys, 4.0)
    after = evaluate_methods([turned], [method], out)
    assert not method.calls
    tables = [m["sets"]["toys"]["methods"]["oracle 4"] for m in (before, after)]
    for key in ("median_roe_deg", "median_rte_deg", "auc", "within"):
        assert tables[0][key] == pytest.approx(tables[1][key], abs=1e-9)


def test_a_killed_evaluation_goes_on(toys: PairSet, tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed = Oracle(toys, 4.0)
    killed.stop_at = 3
    with pytest.raises(KeyboardInterrupt):
        evaluate_methods([toys], [killed], out)
    assert sorted(killed.calls) == [0, 1, 2]
    with (out / PREDICTIONS).open("a") as stream:
        stream.write("toys,3a.png,3b.png,oracle 4,ok,0.99")  # cut short in the middle of a row
    again = Oracle(toys, 4.0)
    metrics = evaluate_methods([toys], [again], out)
    assert again.calls == {3: 1, 4: 1, 5: 1}
    fresh = evaluate_methods([toys], [Oracle(toys, 4.0)], tmp_path / "fresh")
    assert metrics["sets"] == fresh["sets"]
    # another method joins: the first is not asked again
    other = Oracle(toys, 8.0)
    metrics = evaluate_methods([toys], [again, other], out)
    assert sum(again.calls.values()) == 3
    assert sum(other.calls.values()) == 6
    assert len(read_predictions(out / PREDICTIONS)) == 4 * 6


class Chooser(Oracle):
    """Says which chain answered, as ``auto`` does."""

    def relate(self, a: View, b: View) -> RelativeEstimate:
        said = super().relate(a, b)
        return replace(said, method="sift" if a.image[0, 0, 0] < 20 else "network")


def test_a_method_that_chooses_keeps_its_name_and_says_what_it_chose(
    toys: PairSet, tmp_path: Path
) -> None:
    for _ in range(2):
        method = Chooser(toys, 2.0)
        metrics = evaluate_methods([toys], [method], tmp_path / "out")
        assert metrics["sets"]["toys"]["methods"]["oracle 2"]["chains"] == {
            "network": 4, "sift": 2,
        }  # fmt: skip
    assert not method.calls


def test_another_truth_is_refused(toys: PairSet, tmp_path: Path) -> None:
    evaluate_methods([toys], [Oracle(toys)], tmp_path / "out")
    moved = replace(toys, pairs=(replace(toys.pairs[0], b_from_a=Pose.identity()), *toys.pairs[1:]))
    with pytest.raises(InputError, match="another true pose"):
        evaluate_methods([moved], [Oracle(moved)], tmp_path / "out")


def test_baselines_stand_beside_and_unseen_labels_apart(toys: PairSet, tmp_path: Path) -> None:
    # the training pairs hold the labels of pairs 0 and 1, one of them in the other order
    known = (toys.pairs[0], toys.pairs[1].swapped())
    training = PairSet("lessons", tmp_path / "elsewhere", known, "m")
    metrics = evaluate_methods([toys], [Oracle(toys, 4.0)], tmp_path / "out", training=training)
    table = metrics["sets"]["toys"]
    assert table["training"] == {
        "set": "lessons", "pairs": 2, "seen_labels": 2, "pairs_with_training_images": 0,
    }  # fmt: skip
    names = list(table["methods"])
    assert len(names) == 3
    assert "constant" in names[1]
    assert "same pose" in names[2]
    assert all(table["methods"][name]["unseen_labels"]["pairs"] == 4 for name in names)
    # "the camera did not turn" is off by the angle between the views
    assert table["methods"][names[2]]["median_roe_deg"] == pytest.approx(26)
    rows = score_rows(metrics)
    assert [row[0] for row in rows] == [
        "pairs of", "toys", "", "", "toys, labels unseen in training", "", "",
    ]  # fmt: skip
    assert rows[1][:6] == ("toys", "oracle 4", "6", "100.0%", "4.00", "0.00")
    assert {len(row) for row in rows} == {len(rows[0])}
    assert "2 have a label seen in training" in " ".join(set_notes(metrics))
    # another training set has another mean, and older rows are not taken for it
    other = replace(training, pairs=(toys.pairs[5], toys.pairs[4]))
    again = evaluate_methods([toys], [Oracle(toys, 4.0)], tmp_path / "out", training=other)
    constant = names[1]
    assert again["sets"]["toys"]["methods"][constant]["median_roe_deg"] == pytest.approx(20)


def test_training_images_among_the_judged_are_told(toys: PairSet, tmp_path: Path) -> None:
    training = replace(toys, name="same photos")
    metrics = evaluate_methods([toys], [], tmp_path / "out", training=training)
    assert metrics["sets"]["toys"]["training"]["pairs_with_training_images"] == 6
    assert "a leak" in " ".join(set_notes(metrics))


def test_without_training_the_constant_is_an_oracle_and_says_so(
    toys: PairSet, tmp_path: Path
) -> None:
    metrics = evaluate_methods([toys], [], tmp_path / "out")
    constant, same = metrics["sets"]["toys"]["methods"]
    assert "oracle" in constant
    assert same == "same pose, ahead"
    assert "training" not in metrics["sets"]["toys"]


def test_only_the_test_part_is_judged(toys: PairSet, tmp_path: Path) -> None:
    parts = ("train", "train", "validation", "test", "test", "test")
    split = tuple(replace(p, split=s) for p, s in zip(toys.pairs, parts, strict=True))
    metrics = evaluate_methods([replace(toys, pairs=split)], [], tmp_path / "out")
    table = metrics["sets"]["toys"]
    assert (table["pairs"], table["other_parts"]) == (3, 3)
    assert table["training"]["pairs"] == 2


def test_pairs_without_truth_or_motion_are_counted(toys: PairSet, tmp_path: Path) -> None:
    still = replace(toys.pairs[0], b_from_a=Pose.identity())
    unknown = replace(toys.pairs[1], b_from_a=None)
    pairs = replace(toys, pairs=(still, unknown, *toys.pairs[2:]))
    metrics = evaluate_methods([pairs], [], tmp_path / "out")
    table = metrics["sets"]["toys"]
    assert (table["pairs"], table["without_truth"], table["without_translation"]) == (5, 1, 1)
    same = table["methods"]["same pose, ahead"]
    assert (same["pairs"], same["rte_pairs"]) == (5, 4)
    notes = " ".join(set_notes(metrics))
    assert "1 pairs without a true pose" in notes
    assert "1 pairs did not move" in notes


def test_two_sets_of_one_name_are_told_apart(tmp_path: Path) -> None:
    sets = [make_set(tmp_path / n / "toys", seed=i) for i, n in enumerate(("x", "y"))]
    metrics = evaluate_methods(sets, [], tmp_path / "out")
    assert list(metrics["sets"]) == [f"toys ({pairs.root})" for pairs in sets]


def test_bad_requests_are_refused(toys: PairSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no set came"):
        evaluate_methods([], [], tmp_path / "out")
    with pytest.raises(InputError, match="method 'oracle 0' is there twice"):
        evaluate_methods([toys], [Oracle(toys), Oracle(toys)], tmp_path / "out")
    with pytest.raises(InputError, match=r"'0a\.png, 0b\.png' is there twice"):
        evaluate_methods([replace(toys, pairs=toys.pairs[:1] * 2)], [], tmp_path / "out")
    without = replace(toys, pairs=tuple(replace(p, b_from_a=None) for p in toys.pairs))
    with pytest.raises(InputError, match="none has one"):
        evaluate_methods([without], [], tmp_path / "out")


def test_a_damaged_file_is_named_with_its_line(toys: PairSet, tmp_path: Path) -> None:
    out = tmp_path / "out"
    evaluate_methods([toys], [], out)
    text = (out / PREDICTIONS).read_text()
    for bad, message in (
        (text.replace(",ok,", ",fine,", 1), "line 2: a status of"),
        (text + text.splitlines()[1] + "\n", "is there twice"),
        (text.replace("status", "state", 1), "the columns"),
    ):
        (out / PREDICTIONS).write_text(bad)
        with pytest.raises(InputError, match=message):
            evaluate_methods([toys], [], out)


def test_saved_numbers_come_back(toys: PairSet, tmp_path: Path) -> None:
    evaluate_methods([toys], [Oracle(toys, 3.3, fails=(2,))], tmp_path / "out")
    with (tmp_path / "out" / PREDICTIONS).open() as stream:
        cells = [row for row in csv.DictReader(stream) if row["method"] == "oracle 3.3"]
    rows = [r for r in read_predictions(tmp_path / "out" / PREDICTIONS) if "3.3" in r.key[3]]
    assert [c["image_a"] for c in cells] == [r.image_a for r in rows]
    for pair in toys.pairs:
        (row,) = [r for r in rows if r.image_a == pair.image_a.as_posix()]
        np.testing.assert_allclose(row.true.q_wxyz, pair.b_from_a.q_wxyz, rtol=0, atol=1e-11)
        np.testing.assert_allclose(row.true.translation, pair.b_from_a.translation, rtol=1e-11)
        assert (row.estimate.b_from_a is None) == (row.estimate.status == "failed")


@pytest.mark.shared
@pytest.mark.slow
def test_sift_on_surveyed_photos_is_scored_as_the_field_finds_it(
    shared_data: Path, tmp_path: Path
) -> None:
    from sightline.datasets.pairs import open_pairs
    from sightline.tasks.relative.classical import classical_method

    pairs = open_pairs(shared_data / "pose_strecha_fountain_P11", max_pairs=10)
    sift = classical_method("sift")
    metrics = evaluate_methods([pairs], [sift], tmp_path / "out")
    (table,) = metrics["sets"].values()
    near = table["methods"][sift.name]["near_views"]
    assert near["pairs"] >= 3
    assert near["median_roe_deg"] <= 0.15
    assert near["median_rte_deg"] <= 0.3
    # no constant comes near, not even one that knows these very labels
    for name in list(table["methods"])[1:]:
        assert table["methods"][name]["median_roe_deg"] > 5
