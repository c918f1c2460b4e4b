"""Predictions on disk: nothing is lost, and what is wrong is named."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.tasks.objects.predictions import (
    RULES,
    ObjectPredictions,
    prediction_columns,
    read_predictions,
    write_predictions,
)


def drawn(count: int = 5, seed: int = 0) -> ObjectPredictions:
    """Return random predictions of 32-bit numbers, some truths unknown."""
    rng = np.random.default_rng(seed)
    likely = rng.dirichlet([1.0, 1.0, 1.0], count)

    def turned() -> np.ndarray:
        q = rng.normal(size=(count, 4))
        return q / np.linalg.norm(q, axis=1, keepdims=True)

    def kept(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32).astype(np.float64)

    true = kept(turned())
    true[1:2] = np.nan
    rotations = {rule: kept(turned()) for rule in RULES}
    rotations["top3"][:] = np.nan
    return ObjectPredictions(
        ("car", "tv, old", "sofa"),
        tuple(f"images/{i},ä.jpg" for i in range(count)),
        kept(np.sort(rng.uniform(-5, 2000, (count, 4)), axis=1)),
        rng.integers(-1, 3, count),
        true,
        kept(likely),
        rotations,
        "chordal",
        kept(rng.random(count)),
        kept(rng.lognormal(0, 8, count)),
    )


def same(a: ObjectPredictions, b: ObjectPredictions) -> bool:
    """Return whether two predictions are the same to the last bit of 32."""
    plain = all(
        getattr(a, name) == getattr(b, name) for name in ("categories", "images", "rule")
    ) and set(a.rotations) == set(b.rotations)
    arrays = ("boxes", "category", "true", "probabilities", "confidence", "concentration")
    pairs = [(getattr(a, name), getattr(b, name)) for name in arrays]
    pairs += [(a.rotations[rule], b.rotations[rule]) for rule in RULES]
    bits = [(x.astype(np.float32), y.astype(np.float32)) for x, y in pairs]
    return plain and all(np.array_equal(x, y, equal_nan=True) for x, y in bits)


@settings(max_examples=25)
@given(st.integers(0, 6), st.integers(0, 2**32 - 1))
def test_a_round_trip_loses_no_bit_of_32(
    tmp_path_factory: pytest.TempPathFactory, count: int, seed: int
) -> None:
    path = tmp_path_factory.mktemp("p") / "predictions.csv"
    predictions = drawn(count, seed)
    write_predictions(path, predictions)
    again = read_predictions(path)
    assert same(again, predictions)
    before = path.read_bytes()
    write_predictions(path, again)
    assert path.read_bytes() == before


def test_the_file_says_its_rule_and_names_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    write_predictions(path, drawn())
    first, second, *rows = path.read_text().splitlines()
    assert first == "# rule = chordal"
    assert second.startswith('image,x0,y0,x1,y1,category,qw,qx,qy,qz,p_car,"p_tv, old",p_sofa,')
    assert second.endswith("oracle_qw,oracle_qx,oracle_qy,oracle_qz,confidence,concentration")
    assert len(rows) == 5
    assert len(prediction_columns(("car",))) == 6 + 4 + 1 + 4 * 6 + 2


def with_cell(path: Path, column: str, value: str) -> None:
    """Write predictions of one category whose third line has one other cell."""
    one = drawn(3)
    write_predictions(
        path,
        dataclasses.replace(
            one, categories=("car",), probabilities=np.ones((3, 1)), category=np.zeros(3, int)
        ),
    )
    lines = path.read_text().splitlines()
    cells = lines[2].replace("images/0,ä.jpg", "a.jpg").replace('"', "").split(",")
    cells[prediction_columns(("car",)).index(column)] = value
    lines[2] = ",".join(cells)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("category", "horse", "line 3: a category of car is wanted, 'horse' came"),
        ("x1", "wide", "line 3: x1: a number is wanted, 'wide' came"),
        ("qx", "", "line 3: qx: a number is wanted, '' came"),
        ("p_car", "0.5", "line 3: probabilities that sum to 1"),
        ("top1_qw", "7", "line 3: top1_qw ... qz: a unit quaternion is wanted"),
        ("confidence", "1.5", "line 3: confidence: 0 to 1 is wanted, 1.5 came"),
        ("concentration", "nan", "line 3: concentration: a number is wanted, 'nan' came"),
        ("concentration", "1,2", "line 3: 37 cells are wanted, 38 came"),
    ],
)
def test_a_wrong_cell_is_named_with_its_line(
    tmp_path: Path, column: str, value: str, said: str
) -> None:
    path = tmp_path / "predictions.csv"
    with_cell(path, column, value)
    with pytest.raises(InputError) as caught:
        read_predictions(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_rule_of_its_own_must_always_have_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    one = drawn(3)
    one.rotations["weighted"][1] = np.nan
    write_predictions(path, one)
    with pytest.raises(InputError, match=r"line 4: weighted_qw: a number is wanted"):
        read_predictions(path)


def test_files_that_are_no_predictions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    with pytest.raises(InputError, match="sightline evaluate objects"):
        read_predictions(path)
    write_predictions(path, drawn())
    text = path.read_text()
    for wrong, said in (
        (text.replace("chordal", "best", 1), "line 1"),
        (text.replace("# rule = chordal\n", ""), "line 1"),
        (text.replace("top2_qw", "top2", 1), "line 2"),
        (text[:-1], "cut short"),
        (text.replace('"', "", 1), "line 2"),
    ):
        path.write_text(wrong)
        with pytest.raises(InputError, match=said):
            read_predictions(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"boxes": np.zeros((5, 3))}, r"boxes of shape \(5, 4\)"),
        ({"rotations": {}}, "rotations by weighted"),
        ({"rule": "oracle"}, "'oracle' came"),
        ({"category": np.full(5, 3)}, "from -1 to 2"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(change: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        dataclasses.replace(drawn(), **change)
