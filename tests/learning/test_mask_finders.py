"""Pixels of people and the like: of boxes, of instances, of a segmentation; unknown names."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.errors import CatalogError, InputError, WeightsError
from sightline.learning import mask_finders
from sightline.learning.detectors import FoundBoxes
from sightline.learning.mask_finders import open_mask_finder
from sightline.learning.torchvision_compat import import_torchvision

SEGMENTER = "lraspp_mobilenet_v3_large"


class Boxes:
    """Finds two boxes, whatever it sees."""

    name = "boxes"
    categories = ("person", "car", "cup")

    def find(self, image: np.ndarray) -> FoundBoxes:
        boxes = np.array([[10.2, 5.0, 20.7, 30.0], [40.0, 40.0, 50.0, 50.0]])
        return FoundBoxes(boxes, np.array([0, 2]), np.array([0.9, 0.8]))


def test_boxes_mask_all_that_is_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    finder = mask_finders._BoxMasks(Boxes(), ["person", "car"], "weights")
    turned = mask_finders._BoxMasks(Boxes(), ["car", "person"], "weights")
    image = np.zeros((60, 80, 3), np.uint8)
    monkeypatch.setattr(mask_finders, "_MARGIN", 0.0)
    wanted = np.zeros((60, 80), bool)
    wanted[5:30, 10:21] = True
    np.testing.assert_array_equal(finder.find(image), wanted)
    monkeypatch.setattr(mask_finders, "_MARGIN", 0.05)
    grown = finder.find(image)
    assert grown[wanted].all()
    rows, columns = np.nonzero(grown)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 33, 6, 24)
    both = mask_finders._BoxMasks(Boxes(), ["person", "cup"], "weights")
    assert both.find(image)[45, 45]
    assert len({finder.digest, both.digest}) == 2
    assert finder.digest == turned.digest


def test_instances_of_the_wanted_classes_only() -> None:
    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
            masks = torch.zeros(3, 1, *images[0].shape[1:])
            masks[0, 0, :10], masks[1, 0, :, :5], masks[2, 0, 15:] = 0.6, 0.9, 0.9
            masks[0, 0, 10:12] = 0.4
            labels, scores = torch.tensor([1, 2, 1]), torch.tensor([0.9, 0.9, 0.1])
            return [{"masks": masks, "labels": labels, "scores": scores}]

    class Detector:
        name = "maskrcnn"
        categories = ("__background__", "person", "cup")
        net = Net()

    finder = mask_finders._InstanceMasks(Detector(), ["person"], "w")  # type: ignore[arg-type]
    wanted = np.zeros((20, 30), bool)
    wanted[:10] = True
    np.testing.assert_array_equal(finder.find(np.zeros((20, 30, 3), np.uint8)), wanted)


def test_segmentation_is_torchvisions_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models = import_torchvision().models
    torch.manual_seed(3)
    net = models.get_model(SEGMENTER, weights=None, weights_backbone=None, num_classes=21).eval()
    monkeypatch.setattr(mask_finders, "_MARGIN", 0.0)
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    image = np.asarray(Image.fromarray(image).resize((160, 120), Image.Resampling.BICUBIC))
    chosen = models.get_model_weights(SEGMENTER).DEFAULT
    with torch.inference_mode():
        batch = chosen.transforms()(torch.tensor(image).permute(2, 0, 1))[None]
        # Random weights favour one class everywhere; without their means, many are found.
        net.classifier.high_classifier.bias -= net(batch)["out"].mean(dim=(0, 2, 3))
        scores = torch.nn.functional.interpolate(net(batch)["out"], (120, 160), mode="bilinear")
    best = scores.argmax(dim=1)[0].numpy()
    categories = chosen.meta["categories"]
    common = categories[1 + int(np.bincount(best.ravel(), minlength=21)[1:].argmax())]
    torch.save(net.state_dict(), tmp_path / "copy.pth")
    finder = open_mask_finder(f"{SEGMENTER}:{tmp_path / 'copy.pth'}", [common])
    mask = finder.find(image)
    assert 0.02 < mask.mean() < 0.98
    assert (mask == (best == categories.index(common))).mean() > 0.995
    again = open_mask_finder(f"{SEGMENTER}:{tmp_path / 'copy.pth'}", [common, "person"])
    assert again.digest != finder.digest


def test_names_that_are_not_there() -> None:
    with pytest.raises(CatalogError, match=r"no network 'yolo'.*deeplabv3_.*maskrcnn_"):
        open_mask_finder("yolo", ["person"])
    with pytest.raises(CatalogError, match=r"knows no class 'people'; there are .*person"):
        open_mask_finder(f"{SEGMENTER}:none", ["person", "people"])
    with pytest.raises(InputError, match=r"net\.onnx does not exist"):
        open_mask_finder("net.onnx", ["person"])
    with pytest.raises(WeightsError, match=r"copy\.pth does not exist"):
        open_mask_finder(f"{SEGMENTER}:copy.pth", ["person"])


def test_weights_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> None:
        raise OSError("no route to host")

    import_torchvision()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(WeightsError, match=r"no route to host.*`--mask-weights lraspp.*:FILE`"):
        open_mask_finder(SEGMENTER, ["person"])


@pytest.mark.shared
def test_people_in_photos_are_masked(shared_data: Path) -> None:
    finder = open_mask_finder(str(shared_data / "weights" / "nanodet_m.onnx"), ["person"])
    folder = shared_data / "det_coco"
    hits, misses, empty = 0.0, 0.0, []
    for labels in sorted((folder / "labels").glob("*.txt")):
        image = np.asarray(
            Image.open(next((folder / "images").glob(f"{labels.stem}.*"))).convert("RGB")
        )
        height, width = image.shape[:2]
        mask = finder.find(image)
        people = np.zeros((height, width), bool)
        for line in labels.read_text().splitlines():
            label, cx, cy, w, h = map(float, line.split())
            if label == 0 and w * h > 0.02:
                x0, x1 = round((cx - w / 2) * width), round((cx + w / 2) * width)
                y0, y1 = round((cy - h / 2) * height), round((cy + h / 2) * height)
                people[y0:y1, x0:x1] = True
        hits, misses = hits + (mask & people).sum(), misses + (~mask & people).sum()
        if not people.any():
            empty.append(mask.mean())
    assert hits / (hits + misses) > 0.9
    assert np.mean(empty) < 0.05
