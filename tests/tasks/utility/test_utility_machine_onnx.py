"""ONNX files as machines: what a graph says, what its ``.toml`` says, and files that are none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax
from tiny_graphs import constant_onnx, flat_onnx, write_onnx

from sightline.errors import GeometryError, InputError, WeightsError
from sightline.learning.backbones import IMAGENET_MEAN, IMAGENET_STD
from sightline.tasks.utility.machines.graph_classifiers import GraphClassifier
from sightline.tasks.utility.machines.graph_detectors import GraphDetector
from sightline.tasks.utility.machines.onnx import onnx_machine

PICTURE = np.random.default_rng(0).integers(0, 256, (2, 2, 3), dtype=np.uint8)
GREY = np.full((16, 16, 3), 128, np.uint8)


def classifier(path: Path) -> GraphClassifier:
    machine = onnx_machine(path, "classification")
    assert isinstance(machine, GraphClassifier)
    return machine


def detector(path: Path) -> GraphDetector:
    machine = onnx_machine(path, "detection")
    assert isinstance(machine, GraphDetector)
    return machine


def normal(pixels: np.ndarray) -> np.ndarray:
    return (pixels / 255 - IMAGENET_MEAN) / IMAGENET_STD


@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_logits_of_the_normalised_picture(tmp_path: Path, batch: int | str) -> None:
    machine = classifier(flat_onnx(tmp_path / "net.onnx", [batch, 3, 2, 2]))
    assert (machine.name, machine.kind, machine.outputs) == ("net", "classification", "logits")
    found = machine.classify([PICTURE] * 4)
    wanted = softmax(normal(PICTURE).transpose(2, 0, 1).reshape(1, -1), axis=1)
    np.testing.assert_allclose(found.probabilities, np.repeat(wanted, 4, axis=0), rtol=1e-4)
    assert np.isfinite(found.energy).all()
    assert machine.classify([]).probabilities.shape == (0, 12)


def test_the_other_layout_and_pixels_as_they_are(tmp_path: Path) -> None:
    last = classifier(flat_onnx(tmp_path / "last.onnx", ["N", 2, 2, 3]))
    wanted = softmax(normal(PICTURE).reshape(1, -1), axis=1)
    np.testing.assert_allclose(last.classify([PICTURE]).probabilities, wanted, rtol=1e-4)
    raw = classifier(flat_onnx(tmp_path / "raw.onnx", ["N", 2, 2, 3], np.uint8))
    wanted = softmax(PICTURE.reshape(1, -1).astype(float), axis=1)
    np.testing.assert_allclose(raw.classify([PICTURE]).probabilities, wanted, rtol=1e-4, atol=1e-9)
    half = classifier(flat_onnx(tmp_path / "half.onnx", [1, 3, 2, 2], np.float16))
    assert half.classify([PICTURE]).probabilities.shape == (1, 12)


def test_probabilities_are_not_softmaxed_again(tmp_path: Path) -> None:
    machine = classifier(flat_onnx(tmp_path / "net.onnx", [1, 3, 2, 2], last="Softmax"))
    assert machine.outputs == "probabilities"
    found = machine.classify([PICTURE])
    wanted = softmax(normal(PICTURE).transpose(2, 0, 1).reshape(1, -1), axis=1)
    np.testing.assert_allclose(found.probabilities, wanted, rtol=1e-4)
    assert np.isnan(found.energy).all()
    sigmoid = flat_onnx(tmp_path / "sigmoid.onnx", [1, 3, 2, 2], last="Sigmoid")
    with pytest.raises(InputError, match=r"do not sum to 1; say `outputs = .* in sigmoid\.toml"):
        classifier(sigmoid)
    (tmp_path / "sigmoid.toml").write_text('outputs = "logits"')
    assert classifier(sigmoid).outputs == "logits"


def test_the_toml_beside_it_says_the_rest(tmp_path: Path) -> None:
    path = flat_onnx(tmp_path / "net.onnx", ["N", 3, "H", "W"])
    plain = classifier(path)
    assert (plain.reading.width, plain.classes, plain.categories) == (224, 224 * 224 * 3, ())
    (tmp_path / "net.toml").write_text(
        'size = 2\ncolour = "bgr"\nscale = 1\nmean = [1, 2, 3]\nstd = [100, 100, 50]\n'
        f"labels = {['background', *'abcdefghijk']}\n"
    )
    machine = classifier(path)
    numbers = ((PICTURE[:, :, ::-1] - [1.0, 2, 3]) / [100, 100, 50]).transpose(2, 0, 1)
    wanted = softmax(numbers.reshape(1, -1)[:, 1:], axis=1)  # the background is no class
    np.testing.assert_allclose(machine.classify([PICTURE]).probabilities, wanted, rtol=1e-4)
    assert machine.categories == tuple("abcdefghijk")
    assert machine.digest != plain.digest
    (tmp_path / "net.toml").write_text('size = 2\nlabels = ["a", "b"]')
    with pytest.raises(InputError, match="12 labels are wanted, 2 came"):
        classifier(path)
    (tmp_path / "net.toml").write_text("size = 2\nbackground = 12")
    with pytest.raises(InputError, match="background = 12, but it has 12 outputs"):
        classifier(path)


def test_sizes_and_layouts_that_contradict_or_are_open(tmp_path: Path) -> None:
    path = flat_onnx(tmp_path / "net.onnx", [1, 3, 2, 2])
    (tmp_path / "net.toml").write_text("size = 4")
    with pytest.raises(InputError, match=r"takes 2x2 pixels, its \.toml says 4x4"):
        classifier(path)
    (tmp_path / "net.toml").write_text('layout = "nhwc"')
    with pytest.raises(InputError, match=r"the input \(1, 3, 2, 2\) is not of the layout nhwc"):
        classifier(path)
    with pytest.raises(InputError, match=r"open\.toml"):
        classifier(flat_onnx(tmp_path / "open.onnx", ["N", "C", "H", "W"]))
    (tmp_path / "open.toml").write_text('layout = "nhwc"\nsize = 2')
    assert classifier(tmp_path / "open.onnx").reading.layout == "nhwc"
    for shape in (["N", 12], [1, 1, 2, 2]):
        with pytest.raises(InputError, match="an input of colour pictures"):
            classifier(flat_onnx(tmp_path / "flat.onnx", shape))


def test_imagenets_classes_without_the_background(tmp_path: Path) -> None:
    one = np.eye(1, 1001, 8, dtype=np.float32)
    machine = classifier(constant_onnx(tmp_path / "net.onnx", {"out": one}))
    found = machine.classify([GREY, GREY[:1, :1]])
    assert found.probabilities.shape == (2, 1000)
    assert (found.probabilities.argmax(axis=1) == 7).all()
    assert machine.categories[7] == "cock"
    assert len(machine.categories) == 1000


def test_boxes_scores_and_labels(tmp_path: Path) -> None:
    values = {
        "4711": np.array([[2, 2, 6, 5], [1, 1, 3, 3], [0, 0, 4, 4]], np.float32),
        "labels": np.array([2, 0, 1], np.int64),
        "4712": np.array([0.5, 0.9, 0.02], np.float32),
    }
    path = constant_onnx(tmp_path / "net.onnx", values)
    wide = np.full((8, 32, 3), 128, np.uint8)  # in 8 x 8: a stripe of 2 rows in the middle
    found = detector(path).detect([GREY, wide])
    np.testing.assert_array_equal(found[0].boxes, [[2, 2, 6, 6], [4, 4, 12, 10]])
    np.testing.assert_array_equal(found[0].labels, [0, 2])
    np.testing.assert_allclose(found[0].scores, [0.9, 0.5])
    np.testing.assert_array_equal(found[1].boxes, [[8, 0, 24, 8]])  # the other one is above it
    (tmp_path / "net.toml").write_text('labels = ["background", "cat", "dog"]\nleast_score = 0.3')
    named = detector(path)
    assert named.categories == ("cat", "dog")
    np.testing.assert_array_equal(named.detect([GREY])[0].labels, [1])  # the other is none
    (tmp_path / "net.toml").write_text("background = 0\nleast_score = 0")
    np.testing.assert_array_equal(detector(path).detect([GREY])[0].labels, [1, 0])


def test_a_graph_of_one_picture_without_an_axis_for_it(tmp_path: Path) -> None:
    """As torchvision exports its detectors."""
    values = {
        "boxes": np.array([[2, 2, 6, 5], [1, 1, 3, 3]], np.float32),
        "labels": np.array([2, 1], np.int64),
        "scores": np.array([0.5, 0.4], np.float32),
    }
    machine = detector(constant_onnx(tmp_path / "net.onnx", values, [3, "H", "W"]))
    assert (machine.reading.width, machine.reading.resize) == (640, "letterbox")
    found = machine.detect([np.zeros((320, 640, 3), np.uint8)])[0]
    np.testing.assert_array_equal(found.labels, [])  # they lie above the picture
    found = machine.detect([GREY])[0]
    np.testing.assert_allclose(found.boxes[0], np.array([2, 2, 6, 5]) / 40)


def test_relative_corners_and_coco(tmp_path: Path) -> None:
    from sightline.learning.detectors import COCO

    values = {
        "boxes": np.array([[0.25, 0.5, 0.75, 1]] * 2, np.float32),
        "scores": np.array([0.9, 0.8], np.float32),
        "labels": np.array([1, 0], np.int64),
    }
    path = constant_onnx(tmp_path / "net.onnx", values)
    names = ["background", *reversed(COCO)]
    (tmp_path / "net.toml").write_text(
        f'labels = {names}\nunits = "relative"\ncorners = "yxyx"\nresize = "stretch"\n'
    )
    found = detector(path).detect([np.zeros((10, 40, 3), np.uint8)])[0]
    np.testing.assert_array_equal(found.boxes, [[20, 2.5, 40, 7.5]])
    assert detector(path).categories == COCO
    np.testing.assert_array_equal(found.labels, [COCO.index("toothbrush")])


@pytest.mark.parametrize("old", [False, True])
def test_yolos_cells_either_way_round(tmp_path: Path, old: bool) -> None:
    cells = np.zeros((20, 6), np.float32)
    cells[:, :4] = [4, 4, 4, 2]  # centre, width, height
    cells[0, 4:] = [0.1, 0.9]
    cells[1, 4:] = [0.1, 0.8]  # the same box again
    cells[2, 4:] = [0.7, 0.2]  # of another class
    if old:  # one number more: whether there is an object
        cells = np.insert(cells, 4, 0.5, axis=1)
    path = constant_onnx(tmp_path / "net.onnx", {"out": (cells if old else cells.T)[None]})
    found = detector(path).detect([GREY])[0]
    np.testing.assert_array_equal(found.boxes, [[4, 6, 12, 10]] * 2)
    np.testing.assert_array_equal(found.labels, [1, 0])
    np.testing.assert_allclose(found.scores, np.array([0.9, 0.7]) * (0.5 if old else 1), rtol=1e-6)
    (tmp_path / "net.toml").write_text("overlap = 1.0")
    assert len(detector(path).detect([GREY])[0].scores) == 3


def test_the_other_kind(tmp_path: Path) -> None:
    flat = flat_onnx(tmp_path / "flat.onnx", [1, 3, 2, 2])
    with pytest.raises(InputError, match=r"a detector's outputs are wanted.*--task classification"):
        detector(flat)
    values = {"boxes": np.zeros((1, 4), np.float32), "scores": np.zeros(1, np.float32),
              "labels": np.zeros(1, np.int64)}  # fmt: skip
    with pytest.raises(InputError, match=r"one output \(N, classes\) is wanted.*--task detection"):
        classifier(constant_onnx(tmp_path / "boxes.onnx", values))
    cells = constant_onnx(tmp_path / "yolo.onnx", {"out": np.zeros((1, 6, 20), np.float32)})
    with pytest.raises(InputError, match=r"classifier's output \(N, classes\) is wanted"):
        classifier(cells)
    (tmp_path / "flat.toml").write_text('scores = "gone"')
    with pytest.raises(InputError, match="no output 'gone'; there are out"):
        classifier(flat)


def test_files_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from onnx import helper

    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(WeightsError, match=r"text\.onnx cannot be read as an ONNX file"):
        classifier(tmp_path / "text.onnx")
    log = helper.make_node("Log", ["image"], ["log"])
    flat = helper.make_node("Flatten", ["log"], ["out"])
    nan = write_onnx(tmp_path / "nan.onnx", [1, 3, 2, 2], [log, flat],
                     {"out": (np.float32, [1, 12])})  # fmt: skip
    (tmp_path / "nan.toml").write_text('outputs = "logits"')
    with pytest.raises(GeometryError, match="finite outputs are wanted of nan"):
        classifier(nan).classify([PICTURE])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(InputError, match=r"onnxruntime is wanted.*sightline\[onnx\]"):
        classifier(nan)
