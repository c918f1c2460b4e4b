"""What paper 001 prints, whether it adds up, and conclusions drawn from made-up numbers."""

import dataclasses
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest

from sightline.app.papers.paper001 import conclusions
from sightline.app.papers.paper001.conclusions import Conclusion
from sightline.app.papers.paper001.published import (
    CAT_ACC,
    NOTES,
    POSE_ERR,
    TABLE_2,
    TABLE_3,
    TABLE_4,
    TABLE_7,
    TABLE_8,
    TABLE_8_NAMES,
    TABLE_13,
    PublishedRow,
)
from sightline.records.objects import CATEGORIES

EVERY = {
    f"{name} {key}": row
    for name, table in (
        ("3", TABLE_3), ("4", TABLE_4), ("8", TABLE_8), ("err", POSE_ERR), ("acc", CAT_ACC)
    )
    for key, row in table.items()
}  # fmt: skip

ERR = {key: float(row.mean) for key, row in POSE_ERR.items()}
ACC = {key: float(row.mean) for key, row in CAT_ACC.items()}


def decimals(printed: str) -> int:
    return len(printed.partition(".")[2])


@pytest.mark.parametrize("row", EVERY.values(), ids=list(EVERY))
def test_a_printed_mean_is_that_of_its_row(row: PublishedRow) -> None:
    assert len(row.cells) == len(CATEGORIES) == 12
    gap = abs(np.mean(list(row.values.values())) - float(row.mean))
    # half a unit of the cells and of the mean itself; Multibin's 11.1 is 11.15 cut short
    assert gap <= 0.5 * 10.0 ** -decimals(row.cells[0]) + 0.5 * 10.0 ** -decimals(row.mean) + 1e-9


def test_counts_add_up_but_for_the_rendered_ones() -> None:
    for split in ("train", "validation", "test"):
        assert sum(map(int, TABLE_2[split].cells)) == int(TABLE_2[split].mean)
    assert sum(int(TABLE_2[split].mean) for split in ("train", "validation", "test")) == 20843
    assert sum(int(cell.removesuffix("k")) for cell in TABLE_2["rendered"].cells) == 2383
    assert TABLE_2["rendered"].mean == "2.381m"
    assert "2.383m" in NOTES["2"][0]


def test_small_categories_accuracies_are_no_shares_of_their_test_images() -> None:
    def possible(printed: float, images: int) -> bool:
        return any(abs(Fraction(k, images) - printed) <= 0.005 + 1e-9 for k in range(images + 1))

    counts = {name: int(n) for name, n in zip(CATEGORIES, TABLE_2["test"].cells, strict=True)}
    wrong = {
        name
        for row in CAT_ACC.values()
        for name, printed in row.values.items()
        if not possible(printed, counts[name])
    }
    assert wrong == {"diningtable", "sofa"}  # as NOTES says
    assert not possible(0.67, 17)
    assert not possible(0.85, 37)
    assert "0.67 is not k/17, 0.85 not k/37" in " ".join(NOTES["5"])


def test_the_same_network_is_printed_alike() -> None:
    assert TABLE_3["stage4"] == TABLE_4["dependent"]
    assert TABLE_13["top1"] == (ACC["top1"], ERR["top1"])
    for key in ("shared", "weighted", "top1"):
        row = key if key == "shared" else f"rendered_{key}"
        assert TABLE_7["rotation"][key].cat_acc == TABLE_7["azimuth"][key].cat_acc == ACC[row]
    assert set(TABLE_8) == set(TABLE_8_NAMES)
    assert set(CAT_ACC) == set(POSE_ERR) - {"before_weighted", "before_top1"} | {"before"}


def test_by_azimuth_8_is_worse_than_by_the_whole_rotation() -> None:
    rotation, azimuth = (TABLE_7[error]["shared"] for error in ("rotation", "azimuth"))
    for name in ("within_22_5", "within_45", "aaai"):
        assert getattr(azimuth, name) < getattr(rotation, name)
        wgt = [getattr(TABLE_7[error]["weighted"], name) for error in ("rotation", "azimuth")]
        assert wgt[1] < wgt[0]
    top1 = TABLE_7["azimuth"]["top1"], TABLE_7["rotation"]["top1"]
    assert top1[0].within_22_5 > top1[1].within_22_5
    assert top1[0].within_45 < top1[1].within_45


#: Each conclusion on the numbers that the paper prints; Multibin stands in for a known category.
PAPERS_OWN: dict[str, Callable[[], list[Conclusion]]] = {
    "3": lambda: conclusions.stages({k: float(r.mean) for k, r in TABLE_3.items()}),
    "4": lambda: conclusions.dependence({k: float(r.mean) for k, r in TABLE_4.items()}),
    "5": lambda: conclusions.rendered_images(ERR, ACC),
    "6": lambda: conclusions.against_shared(
        {**ERR, "weighted": ERR["rendered_weighted"], "top1": ERR["rendered_top1"]},
        {**ACC, "weighted": ACC["rendered_weighted"], "top1": ACC["rendered_top1"]},
    ),
    "7": lambda: conclusions.shares(TABLE_7),
    "8": lambda: conclusions.known_category(
        {"weighted": 13.67, "top1": 13.56, "known": float(TABLE_8["multibin"].mean)}
    ),
    "9": lambda: conclusions.architectures(
        {**ERR, "weighted": ERR["rendered_weighted"], "top1": ERR["rendered_top1"]},
        {**ACC, "weighted": ACC["rendered_weighted"], "top1": ACC["rendered_top1"]},
        {"sequential_everything": 2.0, "weighted": 1.0},
    ),
    "10": lambda: conclusions.protocols(ERR, ACC),
    "11": lambda: conclusions.joint_step(ERR, ACC),
    "12": lambda: conclusions.weights_of_category(ERR, ACC),
    "13": lambda: conclusions.more_labels({k: err for k, (_, err) in TABLE_13.items()}),
}


@pytest.mark.parametrize("table", PAPERS_OWN)
def test_on_the_papers_own_numbers_its_conclusions_hold(table: str) -> None:
    found = PAPERS_OWN[table]()
    assert found
    for one in found:
        assert one.holds, one.to_text()
        assert ": holds here: " in one.to_text()


def test_a_stage_that_is_better_refutes() -> None:
    good = conclusions.stages({"stage3": 30.2, "stage4": 19.1, "stage5": 23.0})[0]
    assert good.to_text().endswith("holds here: 19.10 deg against 30.20 deg and 23.00 deg")
    for worse in ("stage3", "stage5"):
        numbers = {"stage3": 30.2, "stage4": 19.1, "stage5": 23.0} | {worse: 19.0}
        assert conclusions.stages(numbers)[0].to_text().count("does not hold here: 19.10 deg") == 1


def test_one_pose_network_that_is_better_refutes() -> None:
    numbers = {"dependent": 20.0, "independent12": 21.0, "independent5": 22.0, "independent1": 23.0}
    assert conclusions.dependence(numbers)[0].holds
    for key in ("independent12", "independent5", "independent1"):
        assert conclusions.dependence(numbers | {key: 19.0})[0].holds is False


def test_rendered_images_that_help_one_fusion_only_refute() -> None:
    err = {"weighted": 16.0, "top1": 16.3, "rendered_weighted": 13.0, "rendered_top1": 13.1}
    acc = {"weighted": 0.9, "top1": 0.9, "rendered_weighted": 0.92, "rendered_top1": 0.91}
    assert [one.holds for one in conclusions.rendered_images(err, acc)] == [True, True, True]
    one = conclusions.rendered_images(err | {"rendered_top1": 17.0}, acc | {"top1": 0.95})
    assert [c.holds for c in one] == [False, False, True]
    assert conclusions.fusions_alike({"weighted": 10.0, "top1": 11.1}).holds is False
    assert conclusions.fusions_alike({"weighted": 10.0, "top1": 10.9}).holds


def test_a_shared_network_that_is_better_refutes() -> None:
    err = {"shared": 19.0, "weighted": 14.0, "top1": 13.0}
    acc = {"shared": 0.92, "weighted": 0.91, "top1": 0.93}
    assert [one.holds for one in conclusions.against_shared(err, acc)] == [True, True]
    worse = conclusions.against_shared(err | {"shared": 13.5}, acc | {"weighted": 0.89})
    assert [one.holds for one in worse] == [False, False]
    rotation = TABLE_7["rotation"]
    beaten = {**rotation, "shared": dataclasses.replace(rotation["shared"], aaai=0.9)}
    assert conclusions.shares({"rotation": beaten})[0].holds is False


def test_being_told_the_category_is_what_joint_networks_are_held_against() -> None:
    err = {"weighted": 13.0, "top1": 14.0, "known": 12.0}
    assert conclusions.known_category(err)[0].holds
    assert conclusions.known_category(err | {"known": 10.0})[0].holds is False


def test_each_claim_on_architectures_is_judged_alone() -> None:
    tuned = ("sequential_everything", "sequential_fc", "sequential_fc_stage5")
    err = {"weighted": 10.2, "top1": 10.4, "shared": 12.0, **dict.fromkeys(tuned, 10.0)}
    acc = {"weighted": 0.92, "top1": 0.91, "shared": 0.93, **dict.fromkeys(tuned, 0.93)}
    size = {"sequential_everything": 3.0, "weighted": 2.0}

    def holds(**changes: dict[str, float]) -> list[bool | None]:
        found = conclusions.architectures(
            err | changes.get("err", {}), acc | changes.get("acc", {}),
            size | changes.get("size", {}),
        )  # fmt: skip
        return [one.holds for one in found]

    assert holds() == [True] * 4
    assert holds(err={"shared": 10.3}) == [False, True, True, True]
    assert holds(err={"sequential_fc": 8.0}) == [True, False, True, True]
    assert holds(acc={"sequential_fc": 0.95}) == [True, True, False, True]
    assert holds(acc={"top1": 0.94}) == [True, True, False, True]  # better is not slightly worse
    assert holds(size={"weighted": 3.0}) == [True, True, True, False]


@pytest.mark.parametrize("tell", [conclusions.protocols, conclusions.weights_of_category])
def test_the_other_protocol_or_lambda_refutes_where_it_is_better(
    tell: Callable[..., list[Conclusion]],
) -> None:
    err = {"weighted": 16.0, "top1": 16.0}
    acc = {"weighted": 0.9, "top1": 0.9}
    for prefix in ("balanced", "lambda1"):
        err |= {f"{prefix}_weighted": 17.0, f"{prefix}_top1": 18.0}
        acc |= {f"{prefix}_weighted": 0.8, f"{prefix}_top1": 0.85}
    assert [one.holds for one in tell(err, acc)] == [True, True]
    assert [one.holds for one in tell(err | {"top1": 18.5}, acc)] == [False, True]
    assert [one.holds for one in tell(err, acc | {"weighted": 0.79})] == [True, False]


def test_a_joint_step_without_its_price_refutes() -> None:
    err = {"before_weighted": 25.0, "before_top1": 25.0}
    err |= {"balanced_weighted": 17.0, "balanced_top1": 18.0}
    acc = {"before": 0.92, "balanced_weighted": 0.89, "balanced_top1": 0.88}
    assert [one.holds for one in conclusions.joint_step(err, acc)] == [True, True]
    assert [c.holds for c in conclusions.joint_step(err, acc | {"before": 0.88})] == [True, False]
    worse = conclusions.joint_step(err | {"before_top1": 17.5}, acc)
    assert [one.holds for one in worse] == [False, True]


def test_more_labels_are_held_against_the_true_one() -> None:
    err = {"top1": 16.0, "top2": 14.0, "top3": 13.0, "oracle": 15.0}
    assert [one.holds for one in conclusions.more_labels(err)] == [True, True]
    assert [c.holds for c in conclusions.more_labels(err | {"oracle": 13.5})] == [False, True]
    assert [c.holds for c in conclusions.more_labels(err | {"oracle": 16.5})] == [True, False]


def test_a_missing_number_is_no_verdict() -> None:
    (one,) = conclusions.stages({"stage3": 30.0, "stage4": 19.0, "stage5": float("nan")})
    assert one.holds is None
    assert "cannot be told here" in one.to_text()
    assert "no number" in one.to_text()


def test_a_difference_smaller_than_the_test_objects_make_is_doubted() -> None:
    (one,) = conclusions.stages({"stage3": 20.5, "stage4": 20.0, "stage5": 23.0})
    assert one.margin == pytest.approx(0.5)
    assert ": holds here: " in one.to_text({"pose-err": 0.4})
    doubt = one.to_text({"pose-err": 0.6, "cat-acc": 0.0})
    assert "holds here, by less than the choice of the test objects does: 20.00 deg" in doubt
    assert ": holds here: " in one.to_text({"cat-acc": 9.0})  # of another number
    (other,) = conclusions.stages({"stage3": 19.5, "stage4": 20.0, "stage5": 23.0})
    assert "does not hold here, by less than" in other.to_text({"pose-err": 0.6})
    assert ": does not hold here: " in other.to_text({"pose-err": 0.4})


def test_our_own_variants_are_put_in_order() -> None:
    said = conclusions.least("heads", {"a": 12.0, "b": 9.5, "c": float("nan")})
    assert said == "heads, the best first: b (9.50 deg), a (12.00 deg), c (no number)"
