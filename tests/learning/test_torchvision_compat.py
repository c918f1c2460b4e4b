"""torchvision beside CPU-only torch: operators against brute force, detectors, the no-op."""

import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from sightline.learning import torchvision_compat
from sightline.learning.torchvision_compat import import_torchvision, nms, roi_align


def greedy(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    """Keep the best box that overlaps no kept one: the definition, one pair at a time."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        for k in kept:
            w = min(boxes[i, 2], boxes[k, 2]) - max(boxes[i, 0], boxes[k, 0])
            h = min(boxes[i, 3], boxes[k, 3]) - max(boxes[i, 1], boxes[k, 1])
            inter = max(w, 0) * max(h, 0)
            area = [(b[2] - b[0]) * (b[3] - b[1]) for b in (boxes[i], boxes[k])]
            if inter > threshold * (sum(area) - inter):
                break
        else:
            kept.append(int(i))
    return kept


def random_boxes(generator: np.random.Generator, count: int) -> np.ndarray:
    corner = generator.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + generator.uniform(1, 40, (count, 2))], axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_nms_equals_the_definition_through_torchvision(seed: int) -> None:
    generator = np.random.default_rng(seed)
    boxes, scores = random_boxes(generator, 80), generator.random(80)
    kept = import_torchvision().ops.nms(torch.tensor(boxes), torch.tensor(scores), 0.4)
    assert kept.tolist() == greedy(boxes, scores, 0.4)
    assert 1 < len(kept) < 80


def test_batched_nms_never_lets_classes_suppress_each_other() -> None:
    generator = np.random.default_rng(7)
    boxes, scores = random_boxes(generator, 60), generator.random(60)
    classes = generator.integers(0, 3, 60)
    kept = import_torchvision().ops.batched_nms(
        torch.tensor(boxes), torch.tensor(scores), torch.tensor(classes), 0.3
    )
    by_class = [
        int(np.flatnonzero(classes == c)[i])
        for c in range(3)
        for i in greedy(boxes[classes == c], scores[classes == c], 0.3)
    ]
    assert kept.tolist() == sorted(by_class, key=lambda i: -scores[i])


def test_nms_of_no_boxes_is_empty() -> None:
    assert nms(torch.zeros(0, 4), torch.zeros(0), 0.5).tolist() == []


def roi_align_by_loops(
    features: np.ndarray, rois: np.ndarray, scale: float, out: int, ratio: int, aligned: bool
) -> np.ndarray:
    """RoIAlign one sample at a time, from the paper's description."""
    _, channels, height, width = features.shape
    result = np.zeros((len(rois), channels, out, out))
    for k, roi in enumerate(rois):
        x1, y1, x2, y2 = roi[1:] * scale - (0.5 if aligned else 0.0)
        w, h = x2 - x1, y2 - y1
        if not aligned:
            w, h = max(w, 1.0), max(h, 1.0)
        ny = ratio if ratio > 0 else max(1, int(np.ceil(h / out)))
        nx = ratio if ratio > 0 else max(1, int(np.ceil(w / out)))
        for row in range(out):
            for column in range(out):
                total = np.zeros(channels)
                for a in range(ny):
                    for b in range(nx):
                        y = y1 + h / out * (row + (a + 0.5) / ny)
                        x = x1 + w / out * (column + (b + 0.5) / nx)
                        if y < -1 or y > height or x < -1 or x > width:
                            continue
                        y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
                        y0, x0 = int(y), int(x)
                        y_next, x_next = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
                        fy, fx = y - y0, x - x0
                        f = features[int(roi[0])]
                        total += (1 - fy) * ((1 - fx) * f[:, y0, x0] + fx * f[:, y0, x_next])
                        total += fy * ((1 - fx) * f[:, y_next, x0] + fx * f[:, y_next, x_next])
                result[k, :, row, column] = total / (ny * nx)
    return result


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("ratio", [2, -1])
def test_roi_align_equals_loops_through_torchvision(aligned: bool, ratio: int) -> None:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(2, 3, 9, 11))
    boxes = random_boxes(generator, 12) * 2 - 15  # some reach outside the map
    rois = np.concatenate([generator.integers(0, 2, (12, 1)), boxes], axis=1)
    got = import_torchvision().ops.roi_align(
        torch.tensor(features), torch.tensor(rois), 4, 0.1, ratio, aligned
    )
    wanted = roi_align_by_loops(features, rois, 0.1, 4, ratio, aligned)
    np.testing.assert_allclose(got.numpy(), wanted, atol=1e-10)
    assert np.abs(wanted).max() > 0.1


def test_roi_align_has_the_right_gradient() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(1, 2, 6, 7, dtype=torch.float64, generator=generator).requires_grad_()
    rois = torch.tensor([[0, 1.0, 2.0, 20.0, 17.0], [0, -5.0, 3.0, 9.0, 30.0]]).double()
    assert torch.autograd.gradcheck(
        lambda f: roi_align(f, rois, 0.25, 3, 2, -1, True), (features,), raise_exception=True
    )


def test_a_detector_runs() -> None:
    models = import_torchvision().models.detection
    torch.manual_seed(0)
    detector = models.fasterrcnn_mobilenet_v3_large_320_fpn(
        weights=None, weights_backbone=None, min_size=320, box_score_thresh=0.0
    ).eval()
    with torch.inference_mode():
        (found,) = detector([torch.rand(3, 240, 320)])
    assert len(found["boxes"]) == len(found["scores"]) > 0
    assert torch.isfinite(found["boxes"]).all()


def test_nothing_is_touched_where_the_extension_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = ModuleType("torchvision")
    calls: list[str] = []
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.setattr(torchvision_compat, "_library", None)
    monkeypatch.setattr(torchvision_compat, "extension_loads", lambda: True)
    monkeypatch.setattr(torchvision_compat, "_declare_operators", lambda: calls.append("declared"))
    monkeypatch.setattr(
        torchvision_compat, "_replace_python_fallbacks", lambda: calls.append("replaced")
    )
    monkeypatch.setattr(
        torchvision_compat.importlib, "import_module", lambda name: calls.append(name) or stand_in
    )
    assert import_torchvision() is stand_in
    assert calls == ["torchvision"]


def test_the_training_module_imports_on_its_own() -> None:
    """Lightning imports torchvision: whoever imports it must have hooked torchvision before."""
    result = subprocess.run(
        [sys.executable, "-c", "import sightline.learning.lightning_module"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
