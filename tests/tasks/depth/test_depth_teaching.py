"""Validation scores: of exact answers, and the same as `evaluate` gives."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from toy_depth import HEIGHT, WIDTH, make_toy_depth

from sightline.learning.backbones import InputContract
from sightline.records.depth import DepthSet
from sightline.tasks.depth.align import align_map
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.maps import DepthMap
from sightline.tasks.depth.metrics import depth_scores
from sightline.tasks.depth.network import DepthNet, DepthOut
from sightline.tasks.depth.samples import FrameShape, usable_samples
from sightline.tasks.depth.teaching import DepthTeaching

CONFIG = DepthConfig(frame_width=WIDTH, frame_height=HEIGHT)


class Said(DepthNet):
    """Answers with given maps, in order."""

    def __init__(self, maps: Tensor, max_depth_m: float | None = None) -> None:
        super().__init__(
            InputContract(WIDTH, HEIGHT), multiple=1, feature_channels=1, max_depth_m=max_depth_m
        )
        self.maps = nn.Parameter(maps)

    def forward(self, images: Tensor) -> DepthOut:
        part = self.maps[: len(images)]
        return DepthOut(part, images)


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> DepthSet:
    root: Path = tmp_path_factory.mktemp("toy") / "set"
    return make_toy_depth(root, train=1, validation=6, unlabelled=0).part("validation")


def scores(toy: DepthSet, network: DepthNet) -> dict[str, float]:
    held_out = usable_samples(toy, FrameShape(WIDTH, HEIGHT), "depth", CONFIG.max_depth_m)
    with torch.no_grad():
        return DepthTeaching(network, CONFIG, held_out).validate(nn.Identity())


def truths(toy: DepthSet) -> np.ndarray:
    return np.stack([toy.read_target(item) for item in toy.items])


def test_exact_answers_score_zero_whatever_scale_and_shift_they_have(toy: DepthSet) -> None:
    maps = torch.from_numpy(30.0 / truths(toy) + 4.0)
    found = scores(toy, Said(maps))
    assert found["score"] == found["absrel"] == pytest.approx(0.0, abs=1e-3)
    assert found["delta1"] == 1.0


def test_metric_answers_are_judged_as_they_are(toy: DepthSet) -> None:
    found = scores(toy, Said(torch.from_numpy(1.3 * truths(toy)), max_depth_m=80.0))
    assert found["absrel"] == pytest.approx(0.3, abs=1e-3)
    assert found["delta1"] == 0.0


def test_scores_are_those_of_evaluate(toy: DepthSet) -> None:
    rng = np.random.default_rng(0)
    true = truths(toy)
    maps = (1.0 / true + rng.uniform(0.0, 0.8, true.shape)).astype(np.float32)
    wanted = []
    for said, depth in zip(maps, true, strict=True):
        found = DepthMap(said, "disparity", "relative")
        aligned = align_map(found, depth, "disparity", max_depth_m=10.0)
        wanted.append(depth_scores(aligned.depth, depth, np.isfinite(depth)))
    got = scores(toy, Said(torch.from_numpy(maps)))
    assert got["absrel"] == pytest.approx(np.mean([w["abs_rel"] for w in wanted]), rel=2e-3)
    assert got["delta1"] == pytest.approx(np.mean([w["a1"] for w in wanted]), abs=2e-3)


def test_a_constant_answer_has_a_score(toy: DepthSet) -> None:
    found = scores(toy, Said(torch.full((6, HEIGHT, WIDTH), 0.4)))
    assert 0.1 < found["score"] < 1.0


def test_no_more_images_are_validated_together_than_are_trained(toy: DepthSet) -> None:
    together: list[int] = []

    class Counted(Said):
        def forward(self, images: Tensor) -> DepthOut:
            together.append(len(images))
            return super().forward(images)

    network = Counted(torch.rand(6, HEIGHT, WIDTH))
    held_out = usable_samples(toy, FrameShape(WIDTH, HEIGHT), "depth", CONFIG.max_depth_m)
    config = replace(CONFIG, batch=4)
    with torch.no_grad():
        DepthTeaching(network, config, held_out).validate(nn.Identity())
    assert together == [4, 2]


def test_without_validation_images_there_are_no_scores() -> None:
    assert DepthTeaching(Said(torch.zeros(1, 4, 4)), CONFIG, None).validate(nn.Identity()) == {}
