"""Python callables as machines, and everything that they may return wrongly."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.errors import CatalogError, InputError
from sightline.tasks.utility.machines.callables import (
    BATCH,
    CallableClassifier,
    CallableDetector,
    callable_machine,
)

IMAGES = [np.full((4 + i, 6, 3), i, np.uint8) for i in range(3)]


def classifier(answer: Any, categories: tuple[str, ...] = ()) -> CallableClassifier:
    return CallableClassifier("mine", lambda _images: answer, categories, "digest")


def detector(answer: Any, categories: tuple[str, ...] = ()) -> CallableDetector:
    return CallableDetector("mine", lambda _images: answer, categories, "digest")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_networks.py").write_text(
        "import numpy as np\n"
        "SIZES = []\n"
        "def bright(images):\n"
        "    SIZES.append(len(images))\n"
        "    light = np.array([i.mean() / 255 for i in images])\n"
        "    return np.stack([light, 1 - light], axis=1)\n"
        "bright.categories = ('light', 'dark')\n"
        "class Finder:\n"
        "    digest = 'weights 7'\n"
        "    def __call__(self, images):\n"
        "        return [([[0, 0, 2, 2]], [1], [0.8]) for _ in images]\n"
        "finder = Finder()\n"
        "number = 4\n"
    )
    (tmp_path / "broken_networks.py").write_text("import gone_package\n")
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    return tmp_path


def test_a_function_is_asked_in_batches(module: Path) -> None:
    machine = callable_machine("my_networks:bright", "classification")
    assert isinstance(machine, CallableClassifier)
    assert (machine.name, machine.kind) == ("my_networks.bright", "classification")
    assert machine.categories == ("light", "dark")
    images = [np.full((2, 3, 3), i, np.uint8) for i in range(BATCH + 2)]
    found = machine.classify(images)
    np.testing.assert_allclose(found.probabilities[:, 0], np.arange(BATCH + 2) / 255, atol=1e-6)
    assert np.isnan(found.energy).all()
    assert sys.modules["my_networks"].SIZES == [BATCH, 2]
    assert str(module) not in sys.path
    assert machine.classify([]).probabilities.shape == (0, 2)


def test_an_object_that_can_be_called(module: Path) -> None:
    machine = callable_machine("my_networks:finder", "detection")
    assert isinstance(machine, CallableDetector)
    found = machine.detect(IMAGES)
    assert len(found) == 3
    np.testing.assert_array_equal(found[2].boxes, [[0, 0, 2, 2]])
    np.testing.assert_array_equal(found[2].labels, [1])
    before = machine.digest
    (module / "my_networks.py").write_text("# changed\n" + (module / "my_networks.py").read_text())
    assert callable_machine("my_networks:finder", "detection").digest == before  # it says its own
    del sys.modules["my_networks"]
    changed = callable_machine("my_networks:bright", "classification").digest
    (module / "my_networks.py").write_text("# again\n" + (module / "my_networks.py").read_text())
    assert callable_machine("my_networks:bright", "classification").digest != changed


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("gone_module:net", CatalogError, "there is no module 'gone_module'"),
        ("broken_networks:net", InputError, "cannot be imported: No module named 'gone_package'"),
        ("my_networks:gone", CatalogError, "my_networks has no 'gone'"),
        ("my_networks:number", InputError, "something to call with images is wanted, 4 came"),
        ("my_networks:Finder", InputError, "something to call with images is wanted"),
    ],
)
def test_names_of_nothing(module: Path, spec: str, error: type[Exception], message: str) -> None:
    assert module.is_dir()
    with pytest.raises(error, match=message):
        callable_machine(spec, "classification")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"probabilities of shape \(3, classes\) are wanted, NoneType came"),
        ([["a", "b"]] * 3, "list came"),
        (np.ones(3), r"shape \(3,\) came"),
        (np.full((2, 2), 0.5), r"shape \(2, 2\) came"),
        (np.zeros((3, 0)), r"shape \(3, 0\) came"),
        ([[0.5, 0.5], [np.nan, 1], [0.5, 0.5]], "NaN or infinity came"),
        ([[0.5, 0.5], [4.0, -1], [0.5, 0.5]], "row 1 sums to 3, the least number is -1 .*softmax"),
        ([[0.5, 0.5], [0.4, 0.4], [0.5, 0.5]], r"row 1 sums to 0\.8"),
        ([[0.5, 0.5], [-0.5, 1.5], [0.5, 0.5]], r"the least number is -0\.5"),
    ],
)
def test_what_is_no_answer_of_a_classifier(answer: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        classifier(answer).classify(IMAGES)
    assert str(caught.value).startswith("mine:")


def test_rows_are_as_many_as_categories_in_every_batch() -> None:
    with pytest.raises(InputError, match="of 3 categories"):
        classifier(np.full((3, 2), 0.5), ("a", "b", "c")).classify(IMAGES)
    widths = iter((2, 4))

    def changing(images: list[np.ndarray]) -> np.ndarray:
        width = next(widths)
        return np.full((len(images), width), 1 / width)

    with pytest.raises(InputError, match="one number of classes is wanted"):
        CallableClassifier("mine", changing, (), "d").classify(IMAGES[:1] * (BATCH + 1))


BOX = [[0.0, 0, 2, 2]]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, r"list of 3 \(boxes, labels, scores\) is wanted, NoneType came"),
        ([(BOX, [0], [1])] * 2, "2 came"),
        ([(BOX, [0])] * 3, r"\(boxes \(n, 4\), labels \(n,\), scores \(n,\)\) is wanted"),
        ([7] * 3, "int came"),
        ([("a", [0], [1])] * 3, "something that is no numbers came"),
        ([(BOX, [0, 1], [1])] * 3, r"shapes \(1, 4\), \(2,\), \(1,\) came"),
        ([([[0, 0, 2]], [0], [1])] * 3, r"shapes \(1, 3\)"),
        ([([[0, 0, np.nan, 2]], [0], [1])] * 3, "NaN or infinity came"),
        ([([[2, 0, 0, 2]], [0], [1])] * 3, "one with x1 < x0"),
        ([(BOX, [0], [40])] * 3, "scores from 0 to 1, 40 came"),
        ([(BOX, [0.5], [1])] * 3, r"indices from 0; 0\.5 to 0\.5 came"),
        ([(BOX, [-1], [1])] * 3, "indices from 0; -1 to -1 came"),
    ],
)
def test_what_is_no_answer_of_a_detector(answer: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        detector(answer).detect(IMAGES)


def test_labels_are_of_the_categories_and_nothing_is_an_answer() -> None:
    with pytest.raises(InputError, match="indices from 0 to 1; 2 to 2 came"):
        detector([(BOX, [2], [1])] * 3, ("a", "b")).detect(IMAGES)
    found = detector([([], [], [])] * 3).detect(IMAGES)
    assert [len(each.scores) for each in found] == [0, 0, 0]


def test_a_function_that_fails_or_is_given_no_picture() -> None:
    def failing(_images: list[np.ndarray]) -> Any:
        raise RuntimeError("out of memory\nand a long story")

    with pytest.raises(InputError, match=r"mine failed on 3 images: RuntimeError: out of memory$"):
        CallableClassifier("mine", failing, (), "d").classify(IMAGES)
    with pytest.raises(InputError, match="uint8 RGB images"):
        detector([]).detect([np.zeros((4, 4), np.uint8)])
