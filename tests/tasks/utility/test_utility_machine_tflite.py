"""TFLite files as machines: 8 bits in and out, TFLite's own detections, unknown operations."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from sightline.errors import InputError, WeightsError

pytest.importorskip("ai_edge_litert", reason="the extra tflite is not installed")

from tiny_graphs import flat_tflite, ssd_tflite, write_tflite

from sightline.tasks.utility.machines.tflite import open_graph, tflite_machine

PICTURE = np.random.default_rng(0).integers(0, 256, (2, 2, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("kind", "scale", "zero"),
    [("uint8", 1 / 128, 128), ("uint8", 0.5, 0), ("int8", 1 / 128, 0), ("int8", 0.02, -7)],
)
def test_pixels_go_as_they_are_into_8_bits(
    tmp_path: Path, kind: str, scale: float, zero: int
) -> None:
    machine = tflite_machine(
        flat_tflite(tmp_path / "net.tflite", kind, scale, zero), "classification"
    )
    assert (machine.name, machine.kind, machine.outputs) == ("net", "classification", "logits")
    whole = PICTURE.reshape(1, -1).astype(float) - (128 if kind == "int8" else 0)
    wanted = softmax((whole - zero) * scale, axis=1)
    found = machine.classify([PICTURE, PICTURE])
    np.testing.assert_allclose(found.probabilities, np.repeat(wanted, 2, 0), rtol=1e-4, atol=1e-9)


def test_floats_are_tensorflows_unless_the_toml_says_otherwise(tmp_path: Path) -> None:
    path = flat_tflite(tmp_path / "net.tflite", "float32")
    flat = PICTURE.reshape(1, -1).astype(float)
    machine = tflite_machine(path, "classification")
    wanted = softmax(flat / 127.5 - 1, axis=1)
    np.testing.assert_allclose(machine.classify([PICTURE]).probabilities, wanted, rtol=1e-4)
    (tmp_path / "net.toml").write_text("scale = 0.01\nmean = [0, 0, 0]\nstd = [1, 1, 2]")
    machine = tflite_machine(path, "classification")
    wanted = softmax((PICTURE * 0.01 / [1, 1, 2]).reshape(1, -1), axis=1)
    np.testing.assert_allclose(machine.classify([PICTURE]).probabilities, wanted, rtol=1e-4)


def test_8_bit_shares_are_probabilities(tmp_path: Path) -> None:
    """They sum to far less than 1 where much is rounded away, and are no logits all the same."""
    path = flat_tflite(tmp_path / "net.tflite", "uint8", 1 / 256, 0)
    machine = tflite_machine(path, "classification")
    assert machine.outputs == "probabilities"
    pixels = np.zeros((2, 2, 3), np.uint8)
    pixels[1, 0, 2] = 128
    found = machine.classify([pixels])
    assert found.probabilities[0, 8] == pytest.approx(0.5 + 0.5 / 12)
    assert found.probabilities.sum() == pytest.approx(1)
    assert np.isnan(found.energy).all()


def test_tflites_own_detections(tmp_path: Path) -> None:
    boxes = np.array([[0.5, 0.5, 0.4, 0.2], [0.25, 0.25, 0.2, 0.2]])  # centre y, x, height, width
    scores = np.array([[0.9, 0.05], [0.1, 0.7]])
    path = ssd_tflite(tmp_path / "ssd.tflite", boxes, scores)
    machine = tflite_machine(path, "detection")
    found = machine.detect([np.zeros((10, 20, 3), np.uint8), np.zeros((1, 1, 3), np.uint8)])
    np.testing.assert_allclose(found[0].boxes, [[8, 3, 12, 7], [3, 1.5, 7, 3.5]], atol=1e-5)
    np.testing.assert_array_equal(found[0].labels, [0, 1])
    np.testing.assert_allclose(found[0].scores, [0.9, 0.7])
    np.testing.assert_allclose(found[1].boxes[0], [0.4, 0.3, 0.6, 0.7], atol=1e-6)
    with pytest.raises(InputError, match=r"one output \(N, classes\) is wanted.*--task detection"):
        tflite_machine(path, "classification")
    with pytest.raises(InputError, match=r"a detector's outputs are wanted.*--task classification"):
        tflite_machine(flat_tflite(tmp_path / "flat.tflite", "float32"), "detection")


def test_detections_in_another_order(tmp_path: Path) -> None:
    """Names that say nothing, as TensorFlow 2 exports them: the numbers tell labels from scores."""
    boxes = np.array([[0.5, 0.5, 0.4, 0.2], [0.25, 0.25, 0.2, 0.2]])
    scores = np.array([[0.9, 0.05], [0.1, 0.7]])
    path = ssd_tflite(tmp_path / "ssd.tflite", boxes, scores, order=(3, 2, 0, 1))
    found = tflite_machine(path, "detection").detect([np.zeros((10, 20, 3), np.uint8)])[0]
    np.testing.assert_allclose(found.scores, [0.9, 0.7])
    np.testing.assert_array_equal(found.labels, [0, 1])
    (tmp_path / "ssd.toml").write_text('labels = ["cat", "dog"]\nleast_score = 0.8')
    named = tflite_machine(path, "detection")
    assert named.categories == ("cat", "dog")
    assert len(named.detect([np.zeros((10, 20, 3), np.uint8)])[0].scores) == 1


def test_operations_that_litert_does_not_know(tmp_path: Path) -> None:
    tensors = [
        {"name": "image", "shape": [1, 2, 2, 3], "type": "float32"},
        {"name": "out", "shape": [1, 12], "type": "float32"},
    ]
    for name in ("SecretOp", "FlexErf"):
        path = write_tflite(tmp_path / "net.tflite", tensors, [(name, [0], [1], b"")], [0], [1])
        with pytest.raises(
            WeightsError, match=r"operations that LiteRT knows are wanted"
        ) as caught:
            tflite_machine(path, "classification")
        assert "\n" not in str(caught.value)
    (tmp_path / "text.tflite").write_text("no network")
    with pytest.raises(WeightsError, match=r"text\.tflite cannot be read as a TFLite file"):
        tflite_machine(tmp_path / "text.tflite", "classification")


def test_nothing_is_said_on_stderr(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    graph = open_graph(flat_tflite(tmp_path / "net.tflite", "float32"), threads=2)
    graph.run(np.zeros((1, 2, 2, 3), np.float32))
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = flat_tflite(tmp_path / "net.tflite", "float32")
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(InputError, match=r"ai-edge-litert is wanted.*sightline\[tflite\]"):
        tflite_machine(path, "classification")
