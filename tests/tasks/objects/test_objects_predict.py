"""The model that answers: exact where the network is exact, the same in batches and in threads."""

from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import roma
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor, nn

from sightline.errors import GeometryError, InputError, MediaError, WeightsError
from sightline.geometry.rotation import rotation_angle_deg
from sightline.geometry.viewpoint import cam_from_object, object_from_turn, turn_from_front
from sightline.learning.backbones import InputContract
from sightline.learning.calibration import fit_confidence
from sightline.learning.runs import save_weights
from sightline.media import read_photo
from sightline.records.objects import ObjectSet, ObjectView
from sightline.tasks.objects.config import ObjectsConfig, write_config
from sightline.tasks.objects.heads import create_head
from sightline.tasks.objects.model import ObjectsOut, create_model
from sightline.tasks.objects.predict import (
    EVIDENCE_SIGNS,
    ObjectsModel,
    default_model,
    evidence,
    load_run,
    need_default_model,
    ready,
)
from sightline.tasks.objects.samples import crop

CATEGORIES = ("bus", "car", "chair")
TINY = ObjectsConfig(
    backbone="resnet18",
    width=0.25,
    weights="none",
    crop_px=32,
    head="fisher",
    pose_sizes=(16, 8),
)


class Said(nn.Module):
    """A stand-in that says what it was told, of every picture."""

    def __init__(self, logits: Tensor, vectors: Tensor, config: ObjectsConfig) -> None:
        super().__init__()
        self.logits, self.vectors = nn.Parameter(logits), nn.Parameter(vectors)
        self.head = create_head(config)
        self.contract = InputContract(config.crop_px, config.crop_px)

    def forward(self, images: Tensor) -> ObjectsOut:
        n = len(images)
        return ObjectsOut(self.logits.expand(n, -1), self.vectors.expand(n, -1, -1))


def says(
    probabilities: list[float], turns: NDArray[np.float64], **settings: object
) -> ObjectsModel:
    """A model whose pose networks say these (K, 4) turns as axis-angle vectors."""
    config = dataclasses.replace(TINY, head="axis_angle", **settings)
    vectors = torch.from_numpy(Rotation.from_quat(turns, scalar_first=True).as_rotvec()).float()
    logits = torch.tensor(probabilities).log()
    return ready(Said(logits, vectors, config), config, CATEGORIES, "told")


def crops(n: int, size: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, size, size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def random_model() -> ObjectsModel:
    torch.manual_seed(0)
    return ready(create_model(TINY, CATEGORIES), TINY, CATEGORIES, "random", 0.4)


def test_turns_come_back_as_rotations_of_the_object() -> None:
    """Networks speak of turns from the front; answers are cam_from_object."""
    true = cam_from_object([0.3, 2.0, 5.0], [0.1, 0.5, -0.2], [0.0, -0.3, 0.2])
    model = says([0.2, 0.7, 0.1], turn_from_front(true))
    found = model.predict(crops(1))
    assert found.category.tolist() == [1]
    assert found.probabilities[0] == pytest.approx([0.2, 0.7, 0.1], abs=1e-6)
    ranked = [found.rotations[key][0] for key in ("top1", "top2", "top3")]
    assert np.max(rotation_angle_deg(np.array(ranked), true[[1, 0, 2]])) < 1e-3


def test_the_oracle_is_the_known_category_and_nothing_where_unknown() -> None:
    true = cam_from_object([0.3, 2.0, 5.0], 0.1, 0.0)
    found = says([0.2, 0.7, 0.1], turn_from_front(true)).predict(
        crops(3), np.array([2, -1, 0], dtype=np.int64)
    )
    oracle = found.rotations["oracle"]
    assert np.max(rotation_angle_deg(oracle[[0, 2]], true[[2, 0]])) < 1e-3
    assert np.isnan(oracle[1]).all()
    assert np.isnan(says([0.2, 0.7, 0.1], true).predict(crops(2)).rotations["oracle"]).all()


def test_rules_differ_near_pi() -> None:
    """Two turns 20 degrees apart, on either side of pi: Eq. 1 adds their vectors to nearly none."""
    sides = Rotation.from_rotvec(np.deg2rad([[0, 170, 0], [0, -170, 0], [0, 0, 0]]))
    turns = sides.as_quat(scalar_first=True)
    half = Rotation.from_euler("y", 180, degrees=True)
    between = object_from_turn(half.as_quat(scalar_first=True))
    found = says([0.4999, 0.4999, 0.0002], turns, fusion="chordal").predict(crops(1))
    assert rotation_angle_deg(found.rotations["chordal"][0], between) < 1
    assert rotation_angle_deg(found.rotations["weighted"][0], between) > 170
    assert found.rule == "chordal"
    assert found.cam_from_object is found.rotations["chordal"]


def test_a_trusted_category_takes_over_the_pose_and_not_the_probabilities() -> None:
    true = cam_from_object([0.3, 2.0, 5.0], 0.1, 0.0)
    model = says([0.2, 0.7, 0.1], turn_from_front(true))
    model = dataclasses.replace(model, weights=(0.0, 1.0, 0.0, 0.0))
    known = np.array([2, -1], dtype=np.int64)
    plain, trusted = model.predict(crops(2), known), model.predict(crops(2), known, trust=True)
    for rule in ("weighted", "top1", "chordal"):
        assert rotation_angle_deg(trusted.rotations[rule][0], true[2]) < 1e-3
        assert trusted.rotations[rule][1] == pytest.approx(plain.rotations[rule][1], abs=1e-6)
    assert trusted.probabilities == pytest.approx(plain.probabilities)
    # the log-odds of the likeliest category speak for it: 0.7 alone, as good as certain if told
    assert plain.confidence == pytest.approx(0.7, abs=1e-6)
    assert trusted.confidence == pytest.approx([0.9999, 0.7], abs=1e-6)


def test_batches_threads_and_order_change_nothing(random_model: ObjectsModel) -> None:
    images = crops(9)
    whole = random_model.predict(images)
    small = random_model.predict(images, batch=2)
    back = random_model.predict(images[::-1])
    with ThreadPoolExecutor(3) as pool:
        alone = list(pool.map(lambda i: random_model.predict(images[i : i + 1]), range(9)))
    for found, order in ((small, slice(None)), (back, slice(None, None, -1))):
        assert found.probabilities == pytest.approx(whole.probabilities[order], abs=1e-5)
        angle = rotation_angle_deg(found.cam_from_object, whole.cam_from_object[order])
        assert np.max(angle) < 0.05
    for i, one in enumerate(alone):
        assert one.probabilities[0] == pytest.approx(whole.probabilities[i], abs=1e-5)
    assert random_model.confidence == 0.4
    assert (whole.confidence == 0.4).all()
    assert len(whole) == 9


def test_a_crop_is_seen_as_training_sees_it(random_model: ObjectsModel) -> None:
    image = crops(1, 100)[0]
    box = (10.0, 20.0, 90.0, 60.0)
    cut = crop(image, box, 32, TINY.context)
    mine, wanted = random_model.predict_boxes(image, [box]), random_model.predict(cut[None])
    assert mine.probabilities == pytest.approx(wanted.probabilities)
    none = random_model.predict_boxes(image, [])
    assert len(none) == 0
    assert {key: value.shape for key, value in none.rotations.items()} == dict.fromkeys(
        wanted.rotations, (0, 4)
    )


def test_what_is_no_crop_is_refused(random_model: ObjectsModel) -> None:
    for bad in (crops(1, 33), crops(1).astype(np.float32), crops(1)[0]):
        with pytest.raises(InputError, match=r"shape \(N, 32, 32, 3\) are wanted"):
            random_model.predict(bad)


@pytest.mark.parametrize("head", ["axis_angle", "sixd", "fisher", "bins"])
@pytest.mark.parametrize("part", ["category.fc", "pose.fc3"])
def test_an_answer_that_is_not_finite_is_said(head: str, part: str) -> None:
    config = dataclasses.replace(TINY, head=head, bins=4)
    network = create_model(config, CATEGORIES)
    network.get_submodule(part).bias.data[0] = torch.nan
    with pytest.raises(GeometryError, match="finite answers are wanted; the network told"):
        ready(network, config, CATEGORIES, "told").predict(crops(1))


def test_a_network_can_be_trained_after_one_has_answered(random_model: ObjectsModel) -> None:
    """roma keeps a matrix of its first call; one of inference mode would pass no gradient on."""
    roma.mappings._cached_horn_map.cache_clear()
    random_model.predict(crops(1))
    total = torch.eye(3).add(torch.arange(9.0).view(1, 3, 3) / 10).requires_grad_()
    roma.special_procrustes(total).sum().backward()
    assert torch.isfinite(total.grad).all()


def test_views_keep_their_order_and_truth(painted: ObjectSet, random_model: ObjectsModel) -> None:
    """Several objects of one image, images that alternate, and a category nobody knows."""
    test = painted.part("test").views
    mixed = (test[0], dataclasses.replace(test[0], box=(0, 0, 64, 64)), test[9], test[1], test[20])
    odd = dataclasses.replace(test[2], category="boat", cam_from_object=None)
    data = dataclasses.replace(painted, views=(*mixed, odd))
    said: list[float] = []
    found = random_model.predict_views(data, lambda _text, share: said.append(share), batch=2)
    assert found.images == tuple(view.image.as_posix() for view in data.views)
    assert found.categories == CATEGORIES
    assert found.category.tolist() == [0, 0, 1, 0, 2, -1]
    assert np.isnan(found.true[-1]).all()
    assert np.isnan(found.rotations["oracle"][-1]).all()
    assert found.true[2] == pytest.approx(test[9].cam_from_object)
    assert said == sorted(said)
    assert said[-1] == 1.0
    for i, view in enumerate(data.views):
        one = random_model.predict_boxes(read_photo(data.path(view)), [view.box])
        assert found.probabilities[i] == pytest.approx(one.probabilities[0], abs=1e-5)


def test_a_missing_picture_and_a_bad_box_are_named(
    painted: ObjectSet, random_model: ObjectsModel
) -> None:
    gone = ObjectView(Path("images/gone.jpg"), (0, 0, 9, 9), "bus")
    data = dataclasses.replace(painted, views=(*painted.views[:2], gone))
    with pytest.raises(MediaError, match=r"gone\.jpg does not exist"):
        random_model.predict_views(data)
    outside = dataclasses.replace(painted.views[2], box=(70, 70, 90, 90))
    data = dataclasses.replace(painted, views=(*painted.views[:2], outside))
    with pytest.raises(InputError, match=rf"{outside.image.name}: a box .* 64x64 is wanted"):
        random_model.predict_views(data)


def test_a_run_comes_back(tmp_path: Path, random_model: ObjectsModel) -> None:
    run_dir = tmp_path / "mine"
    table = {
        "categories": list(CATEGORIES),
        "confidence": 0.25,
        "confidence_weights": [0.5, 1, 2, 3],
    }
    write_config(run_dir / "config.toml", TINY, run=table)
    with pytest.raises(WeightsError, match=r"has no model\.safetensors"):
        load_run(run_dir)
    save_weights(run_dir / "model.safetensors", random_model.network)
    found = load_run(run_dir, "top1")
    assert (found.name, found.categories, found.rule) == ("mine", CATEGORIES, "top1")
    assert (found.confidence, found.weights) == (0.25, (0.5, 1.0, 2.0, 3.0))
    assert not found.network.training
    assert found.predict(crops(3)).probabilities == pytest.approx(
        random_model.predict(crops(3)).probabilities
    )
    with pytest.raises(InputError, match="a fusion rule of weighted, top1, chordal is wanted"):
        load_run(run_dir, "mean")
    write_config(run_dir / "config.toml", TINY, run={})
    with pytest.raises(InputError, match="names of the categories are wanted"):
        load_run(run_dir)


def test_a_package_without_a_network_says_so(tmp_path: Path) -> None:
    assert default_model(tmp_path) is None
    with pytest.raises(WeightsError, match="`sightline train objects`"):
        need_default_model(tmp_path)


def test_evidence_tells_right_answers_from_wrong_ones() -> None:
    """Sure and concentrated answers are right more often here; the fit finds out how much."""
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.0, 1.0, 4000)
    best = 0.35 + 0.64 * sure
    rest = (1 - best)[:, None] * [0.6, 0.4]
    probabilities = np.column_stack([best, rest])
    concentration = np.exp(4 * generator.uniform(0.0, 1.0, 4000))
    likely = sure * np.log(concentration) / 4
    right = generator.uniform(size=4000) < likely
    found = evidence(probabilities, concentration)
    assert found.shape == (4000, 3)
    weights = fit_confidence(found, right, EVIDENCE_SIGNS)
    assert (np.array(weights[1:]) * EVIDENCE_SIGNS >= 0).all()
    low, high = (
        evidence(np.array([[0.4, 0.3, 0.3], [0.98, 0.01, 0.01]]), np.array([1.0, 50.0]))
        @ np.array(weights[1:])
        + weights[0]
    )
    assert low < -1.5
    assert high > 1.5


def test_evidence_is_finite_at_the_ends() -> None:
    ends = evidence(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([0.0, 1e30]))
    assert np.isfinite(ends).all()
    assert ends[0, 0] > ends[1, 0]
    assert ends[0, 1] < ends[1, 1]


def test_a_head_on_one_network_answers_too() -> None:
    config = dataclasses.replace(TINY, architecture="shared")
    torch.manual_seed(1)
    found = ready(create_model(config, ("car",)), config, ("car",), "one").predict(crops(2))
    assert np.isfinite(found.cam_from_object).all()
    assert np.isnan(found.rotations["top2"]).all()
