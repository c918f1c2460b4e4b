"""Networks that find boxes: what is covered goes, what is outside is cut, any number of names."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.errors import WeightsError
from sightline.learning.backbones import state_digest
from sightline.learning.detectors import (
    COCO,
    FoundBoxes,
    TorchvisionDetector,
    inside,
    without_doubles,
)
from sightline.learning.torchvision_compat import import_torchvision

SMALLEST = "ssdlite320_mobilenet_v3_large"


def test_the_best_of_overlapping_boxes_of_one_label_is_kept() -> None:
    # the second overlaps the first by 2/3, the third is of another label, the fourth by 1/3
    boxes = np.array([[0, 0, 10, 10], [0, 2, 10, 12], [0, 0, 10, 10], [0, 5, 10, 15]], float)
    scores = np.array([0.8, 0.9, 0.7, 0.6])
    labels = np.array([3, 3, 4, 3])
    kept = without_doubles(boxes, labels, scores, 0.6)
    np.testing.assert_array_equal(kept.scores, [0.9, 0.7, 0.6])
    np.testing.assert_array_equal(kept.labels, [3, 4, 3])
    np.testing.assert_array_equal(kept.boxes, boxes[[1, 2, 3]])
    assert len(without_doubles(boxes, labels, scores, 0.7)) == 4
    assert len(without_doubles(boxes[:0], labels[:0], scores[:0], 0.6)) == 0


def test_boxes_end_at_the_pictures_edge() -> None:
    boxes = np.array([[-5, 2, 8, 30], [18, 0, 40, 10], [25, 3, 30, 9], [3, 3, 3.5, 9]], float)
    found = inside(FoundBoxes(boxes, np.arange(4), np.array([0.1, 0.9, 0.8, 0.7])), 20, 10)
    np.testing.assert_array_equal(found.boxes, [[18, 0, 20, 10], [0, 2, 8, 10]])
    np.testing.assert_array_equal(found.labels, [1, 0])  # the last two are of no pixel


def test_random_weights_are_the_seeds() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, again, other = (TorchvisionDetector(SMALLEST, "none", seed=s) for s in (0, 0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    found = one.find(image)
    assert len(found)
    np.testing.assert_array_equal(found.boxes, again.find(image).boxes)
    np.testing.assert_array_equal(found.scores, again.find(image).scores)
    assert state_digest(one.net) == state_digest(again.net) != state_digest(other.net)
    assert len(one.categories) == 91
    assert set(COCO) <= set(one.categories)


@pytest.mark.parametrize("name", [SMALLEST, "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_a_file_says_how_many_classes_it_is_of(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    net = import_torchvision().models.get_model(
        name, weights=None, weights_backbone=None, num_classes=4
    )
    torch.save(net.state_dict(), tmp_path / "four.pth")
    detector = TorchvisionDetector(name, str(tmp_path / "four.pth"))
    assert (detector.classes, detector.categories) == (4, ())
    for key, value in net.state_dict().items():
        assert torch.equal(detector.net.state_dict()[key], value), key
    with pytest.raises(WeightsError, match=f"does not fit {name}"):
        TorchvisionDetector(name, _without_a_layer(tmp_path, net))


def _without_a_layer(folder: Path, net: torch.nn.Module) -> str:
    state = net.state_dict()
    del state[next(iter(state))]
    torch.save(state, folder / "cut.pth")
    return str(folder / "cut.pth")


def test_pictures_are_brought_to_the_size_asked_for() -> None:
    large = TorchvisionDetector("fasterrcnn_mobilenet_v3_large_fpn", "none", min_size=96)
    assert large.net.transform.min_size == (96,)
    assert TorchvisionDetector(SMALLEST, "none", min_size=96).net.transform.min_size == (320,)
