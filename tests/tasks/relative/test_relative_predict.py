"""The model that answers: normalised, the same in batches, alone and in threads, never made up."""

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.errors import InputError, WeightsError
from sightline.geometry import Camera
from sightline.records.pairs import PairSet
from sightline.records.views import View, pair_views
from sightline.tasks.relative.config import RelativeConfig
from sightline.tasks.relative.model import create_model
from sightline.tasks.relative.predict import (
    RelativeModel,
    default_model,
    need_default_model,
    normalised,
    ready,
    run_pairs,
)
from sightline.tasks.relative.samples import PairFrames, usable_pairs
from sightline.tasks.relative.task import ValidationPairs

CONFIG = RelativeConfig(
    model="siamese", short_side=48, train_size=48, test_size=48, aspect=4 / 3, stride=8
)


@pytest.fixture(scope="module")
def model() -> RelativeModel:
    torch.manual_seed(0)
    return ready(create_model(CONFIG), CONFIG, "test", 0.4)


def test_an_estimate_says_where_it_comes_from(model: RelativeModel, boxes: PairSet) -> None:
    a, b = pair_views(boxes, boxes.pairs[0])
    estimate = model.relate(a, b)
    assert (estimate.status, estimate.method) == ("ok", "siamese (test)")
    assert (estimate.t_unit, estimate.inliers, estimate.matches) == ("direction", None, None)
    assert estimate.confidence == 0.4
    assert estimate.seconds > 0
    assert np.linalg.norm(estimate.pose().translation) == pytest.approx(1)


def test_alone_in_batches_and_in_threads_it_is_the_same(
    model: RelativeModel, boxes: PairSet
) -> None:
    views = [pair_views(boxes, pair) for pair in boxes.pairs[:6]]
    images = [(a.image, b.image) for a, b in views]
    cameras = [(a.camera, b.camera) for a, b in views]
    together = model.predict(images, cameras, batch=4)
    assert together.shape == (6,)
    with ThreadPoolExecutor(4) as pool:
        alone = list(pool.map(lambda v: model.relate(*v).pose(), views))
    for index, pose in enumerate(alone):
        np.testing.assert_allclose(pose.q_wxyz, together.q_wxyz[index], atol=1e-5)
        np.testing.assert_allclose(pose.translation, together.translation[index], atol=1e-4)
    assert model.predict([]).shape == (0,)


def test_answers_are_those_that_validation_scored(model: RelativeModel, boxes: PairSet) -> None:
    """From files through the cache, and from images in memory: the same pixels, the same pose."""
    usable = usable_pairs(boxes, "validation")
    frames = PairFrames(boxes.root, usable.pairs, CONFIG, boxes.root / "cache")
    judged = ValidationPairs(usable, frames, CONFIG).judge(model.network)
    roe, rte = judged.roe_deg, judged.rte_deg
    for index, pair in enumerate(usable.pairs):
        pose = model.relate(*pair_views(boxes, pair)).pose()
        true = usable.b_from_a[index]
        angle = np.rad2deg((pose.rotation * true.rotation.inv()).magnitude())
        direction = np.rad2deg(np.arccos(np.clip(pose.translation @ true.translation, -1, 1)))
        assert angle == pytest.approx(roe[index], abs=0.01)
        assert direction == pytest.approx(rte[index], abs=0.05)


def test_cameras_matter_to_the_network_that_matches(model: RelativeModel, boxes: PairSet) -> None:
    a, b = pair_views(boxes, boxes.pairs[0])
    wide = Camera("PINHOLE", 128, 96, (60.0, 60.0, 63.5, 47.5))
    images = [(a.image, b.image)]
    given, other = (model.predict(images, [(c, c)]) for c in (a.camera, wide))
    assert not np.allclose(given.q_wxyz, other.q_wxyz, atol=1e-4)
    guessed = model.predict(images)
    guess = Camera.guess(128, 96)
    np.testing.assert_array_equal(guessed.q_wxyz, model.predict(images, [(guess, guess)]).q_wxyz)


def test_images_of_other_sizes_are_answered(model: RelativeModel, boxes: PairSet) -> None:
    a, _ = pair_views(boxes, boxes.pairs[0])
    tall = np.ascontiguousarray(a.image[:, 30:80].repeat(3, 0).repeat(3, 1))
    view = View(tall, Camera.guess(150, 288), "guess")
    assert model.relate(a, view).status == "ok"
    grey = View(a.image[..., 0], a.camera)
    failed = model.relate(a, grey)
    assert (failed.status, failed.b_from_a, failed.confidence) == ("failed", None, 0.0)
    assert "(H, W, 3) is wanted" in failed.reason
    with pytest.raises(InputError, match="uint8 RGB"):
        model.predict([(a.image.astype(float), a.image)])  # type: ignore[list-item]


def test_a_network_gone_wrong_fails_and_says_so(boxes: PairSet) -> None:
    broken = create_model(CONFIG)
    for parameter in broken.head.pose.parameters():  # type: ignore[union-attr]
        torch.nn.init.constant_(parameter, float("nan"))
    estimate = ready(broken, CONFIG, "broken", 0.9).relate(*pair_views(boxes, boxes.pairs[0]))
    assert (estimate.status, estimate.confidence) == ("failed", 0.0)
    assert "finite" in estimate.reason


def test_raw_numbers_are_normalised_at_the_end_alone() -> None:
    pose = normalised(np.array([[-2.0, 0, 0, 2.0, 0, 3.0, 4.0]]))
    np.testing.assert_allclose(pose.q_wxyz, [[0.5**0.5, 0, 0, -(0.5**0.5)]])
    np.testing.assert_allclose(pose.translation, [[0, 0.6, 0.8]])


def test_no_bundled_model_is_none_and_said(tmp_path: Path) -> None:
    assert default_model(tmp_path) is None
    with pytest.raises(WeightsError, match="sightline train relative"):
        need_default_model(tmp_path)


def test_a_run_whose_pairs_are_gone_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[run]\npairs = "/nowhere/at/all"\n')
    with pytest.raises(InputError, match="/nowhere/at/all"):
        run_pairs(tmp_path)


def test_the_papers_networks_see_squares_from_the_middle(boxes: PairSet) -> None:
    config = RelativeConfig(model="cnnA", width=0.05)
    model = ready(create_model(config), config, "small", 0.0)
    a, b = pair_views(boxes, boxes.pairs[0])
    whole = model.predict([(a.image, b.image)])
    # at 323 the 96 rows become 323, and the crop of 227 leaves out 14 of them at either end
    edges = dataclasses.replace(a, image=a.image.copy())
    edges.image[:13] = 0
    edges.image[-13:] = 0
    edges.image[:, :29] = 0
    np.testing.assert_allclose(
        model.predict([(edges.image, b.image)]).q_wxyz, whole.q_wxyz, atol=1e-6
    )


def test_confidence_follows_the_evidence_of_the_pair(model: RelativeModel, boxes: PairSet) -> None:
    pair = boxes.part("validation").pairs[0]
    a, b = pair_views(boxes, pair)
    blank = View(np.full_like(b.image, 128), b.camera)
    sure, agrees = (
        dataclasses.replace(model, weights=(0.0, *w)) for w in ((1.0, 0, 0), (0, 1.0, 0))
    )
    assert sure.relate(a, b).confidence != sure.relate(a, blank).confidence
    assert 0.5 < agrees.relate(a, b).confidence < 1 / (1 + np.exp(-1.0))
    assert model.relate(a, b).confidence == model.relate(a, blank).confidence == model.confidence
