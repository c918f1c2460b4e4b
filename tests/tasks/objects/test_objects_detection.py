"""Detectors: boxes where COCO's labels have them, and every file that is none."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.errors import CatalogError, InputError, WeightsError
from sightline.learning.detectors import COCO
from sightline.learning.torchvision_compat import import_torchvision
from sightline.media import read_photo
from sightline.records.objects import CATEGORIES, Box
from sightline.tasks.objects.detection import (
    PASCAL_OF_COCO,
    Detection,
    of_categories,
    open_detector,
)

SMALLEST = "ssdlite320_mobilenet_v3_large"


def overlap(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return shared / (sum(areas) - shared)


def labels(folder: Path, image: Path, width: int, height: int) -> list[tuple[str, Box]]:
    file = folder / "labels" / f"{image.stem}.txt"
    found = []
    for line in file.read_text().splitlines() if file.is_file() else []:
        name, x, y, w, h = map(float, line.split())
        edges = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        x0, y0, x1, y1 = np.multiply(edges, [width, height, width, height])
        found.append((COCO[int(name)], (float(x0), float(y0), float(x1), float(y1))))
    return found


def test_every_category_of_pascal_has_a_name_in_coco() -> None:
    assert len(COCO) == len(set(COCO)) == 80
    assert set(PASCAL_OF_COCO) <= set(COCO)
    assert {PASCAL_OF_COCO.get(name, name) for name in COCO} >= set(CATEGORIES)


def test_only_known_categories_are_kept() -> None:
    found = [Detection((0, 0, 1, 1), name, 0.5) for name in ("couch", "dog", "tv", "car")]
    kept = of_categories(found, ("sofa", "car"))
    assert [each.category for each in kept] == ["sofa", "car"]


@pytest.mark.shared
def test_nanodet_finds_what_is_labelled(shared_data: Path) -> None:
    """Measured at 0.4: 68 of the 157 larger objects; 90 of 136 boxes are of a labelled object."""
    folder = shared_data / "det_coco"
    detector = open_detector(str(shared_data / "weights" / "nanodet_m.onnx"))
    there, hit, right, shown = Counter(), Counter(), 0, 0
    for path in sorted((folder / "images").iterdir()):
        image = read_photo(path)
        height, width = image.shape[:2]
        found, true = detector.detect(image), labels(folder, path, width, height)
        scores = [each.score for each in found]
        assert scores == sorted(scores, reverse=True)
        assert min(scores, default=1) >= 0.4
        for each in found:
            x0, y0, x1, y1 = each.box
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            shown += 1
            right += any(each.name == n and overlap(each.box, b) >= 0.5 for n, b in true)
        for name, box in true:
            if (box[2] - box[0]) * (box[3] - box[1]) >= 0.01 * width * height:
                there[name] += 1
                hit[name] += any(e.name == name and overlap(e.box, box) >= 0.5 for e in found)
    assert sum(hit.values()) > 0.35 * sum(there.values())
    assert right > 0.55 * shown
    for name in ("airplane", "bicycle", "chair", "dining table", "motorcycle", "train"):
        assert hit[name] > 0, name
    assert hit["dining table"] >= 0.4 * there["dining table"]


@pytest.mark.shared
def test_nanodet_keeps_its_boxes_when_a_photo_is_scaled(shared_data: Path) -> None:
    """The boxes are in the photo's own pixels."""
    import cv2

    detector = open_detector(str(shared_data / "weights" / "nanodet_m.onnx"))
    image = read_photo(shared_data / "det_coco" / "images" / "000000000081.jpg")
    height, width = image.shape[:2]
    large = cv2.resize(image, (2 * width, 2 * height), interpolation=cv2.INTER_LINEAR)
    (one, *_), (two, *_) = detector.detect(image), detector.detect(large)
    assert (one.name, one.category) == (two.name, two.category) == ("airplane", "aeroplane")
    assert overlap(one.box, tuple(v / 2 for v in two.box)) > 0.9
    blank = np.full((50, 70, 3), 128, np.uint8)
    assert detector.detect(blank) == []


def test_files_that_are_no_detector(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.onnx does not exist"):
        open_detector(str(tmp_path / "gone.onnx"))
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match=r"text\.onnx: an ONNX detector is wanted, OpenCV says"):
        open_detector(str(tmp_path / "text.onnx"))
    with pytest.raises(InputError, match="holds its own weights"):
        open_detector(str(tmp_path / "text.onnx"), tmp_path / "weights.pth")
    with pytest.raises(CatalogError, match=f"no detector 'yolo'; .*{SMALLEST}"):
        open_detector("yolo")
    with pytest.raises(InputError, match="score from 0 to 1 is wanted, 40 came"):
        open_detector(SMALLEST, None, 40)
    with pytest.raises(WeightsError, match=r"gone\.pth does not exist"):
        open_detector(SMALLEST, tmp_path / "gone.pth")


def test_a_detector_of_torchvision_with_weights_from_a_file(tmp_path: Path) -> None:
    """Its network with chance weights: what it says means nothing, how it says it does."""
    models = import_torchvision().models
    torch.manual_seed(0)
    network = models.get_model(SMALLEST, weights=None, weights_backbone=None, num_classes=91)
    torch.save(network.state_dict(), tmp_path / "chance.pth")
    detector = open_detector(SMALLEST, tmp_path / "chance.pth", 0.0)
    assert detector.name == SMALLEST
    image = np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)
    found = detector.detect(image)
    assert found
    assert {each.name for each in found} <= {*COCO, "N/A", "__background__"} | set(
        models.get_model_weights(SMALLEST).DEFAULT.meta["categories"]
    )
    for each in found:
        x0, y0, x1, y1 = each.box
        assert 0 <= x0 < x1 <= 160
        assert 0 <= y0 < y1 <= 90
    assert [e.score for e in found] == sorted((e.score for e in found), reverse=True)
    assert max(e.score for e in found) < 0.1  # 91 names, all as likely
    assert open_detector(SMALLEST, tmp_path / "chance.pth", 0.1).detect(image) == []
    with pytest.raises(WeightsError, match="does not fit fasterrcnn_mobilenet_v3_large_320_fpn"):
        open_detector("fasterrcnn_mobilenet_v3_large_320_fpn", tmp_path / "chance.pth")


def test_weights_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    chosen = import_torchvision().models.get_model_weights(SMALLEST).DEFAULT

    def offline(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(type(chosen), "get_state_dict", offline)
    with pytest.raises(WeightsError, match=r"cannot be downloaded .*`--detector-weights FILE`"):
        open_detector(SMALLEST)
