import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.geometry.rotation import rotation_from_wxyz
from sightline.geometry.viewpoint import symmetric_angle, turn_from_front
from sightline.tasks.objects.config import ObjectsConfig, scratch_config
from sightline.tasks.objects.fusion import fused_rotation
from sightline.tasks.objects.heads import create_head
from sightline.tasks.objects.loss import ObjectsLoss
from sightline.tasks.objects.model import ObjectsOut
from sightline.tasks.objects.rotations import exponential_map, geodesic, nearest_equivalent

CATEGORIES = ("bus", "bottle", "diningtable", "car")
PRECISIONS = (torch.float32, torch.float64)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def random_turns(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(count, rng=seed).as_matrix())


# --- the angle between rotations ----------------------------------------------------------------


def test_the_geodesic_is_the_angle_of_the_relative_rotation():
    a, b = Rotation.random(500, rng=1), Rotation.random(500, rng=2)
    found = geodesic(torch.from_numpy(a.as_matrix()), torch.from_numpy(b.as_matrix()))
    assert np.allclose(found, (a.inv() * b).magnitude(), atol=1e-9)
    # Eq. 3: the norm of the matrix logarithm over the root of 2
    log = (a * b.inv()).as_rotvec()
    skew = np.cross(np.eye(3), log[:, None, :])
    assert np.allclose(found, np.linalg.norm(skew, axis=(1, 2)) / math.sqrt(2), atol=1e-9)


@pytest.mark.parametrize("angle", [1e-4, 1e-3, 1.0, math.pi - 1e-3])
def test_the_geodesic_is_exact_near_its_ends_in_single_precision(angle):
    # the arccosine of Eq. 4 is off by a fifth at 1e-3 (PITFALLS 5)
    axis = torch.tensor([[0.6, 0.0, 0.8]])
    found = geodesic(exponential_map(angle * axis), torch.eye(3))
    assert found.item() == pytest.approx(angle, rel=1e-3, abs=1e-6)


@pytest.mark.parametrize("angle", [1e-3, 0.5, 2.0, 3.1])
def test_the_geodesic_has_the_gradient_it_should(angle):
    true = random_turns(1)
    near = true @ exponential_map(angle * torch.tensor([[0.6, 0.0, 0.8]], dtype=torch.float64))
    near.requires_grad_()
    assert torch.autograd.gradcheck(lambda r: geodesic(r, true), near, eps=1e-8, atol=1e-4)


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("angle", [0.0, math.pi])
def test_the_gradient_is_finite_at_the_ends(dtype, angle):
    half_turn = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=dtype))  # exactly
    true = torch.eye(3, dtype=dtype)
    estimate = (true if angle == 0 else half_turn).clone().requires_grad_()
    found = geodesic(estimate, true)
    found.backward()
    assert found.item() == pytest.approx(angle)
    assert torch.isfinite(estimate.grad).all()


@pytest.mark.parametrize("dtype", PRECISIONS)
@pytest.mark.parametrize("angle", [0.0, 1e-20, 1e-8, 1e-5, math.pi - 1e-6, math.pi])
def test_gradients_through_the_whole_loss_are_finite(dtype, angle):
    vector = (angle * torch.tensor([[0.6, 0.0, 0.8]], dtype=dtype)).requires_grad_()
    for true in (torch.eye(3, dtype=dtype), exponential_map(vector.detach())[0]):
        (gradient,) = torch.autograd.grad(geodesic(exponential_map(vector), true).sum(), vector)
        assert torch.isfinite(gradient).all()
        assert gradient.abs().max() < 2


# --- the exponential map ------------------------------------------------------------------------


@pytest.mark.parametrize("length", [0.0, 1e-7, 1e-3, 1.0, math.pi - 1e-9, math.pi])
def test_the_exponential_map_and_its_gradient_are_those_of_the_matrix_exponential(length):
    vector = length * torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)

    def expm(v: torch.Tensor) -> torch.Tensor:
        return torch.linalg.matrix_exp(torch.linalg.cross(torch.eye(3).double(), v[None]))  # [v]x

    torch.testing.assert_close(exponential_map(vector), expm(vector), atol=1e-9, rtol=0)
    jacobians = [torch.autograd.functional.jacobian(f, vector) for f in (exponential_map, expm)]
    torch.testing.assert_close(jacobians[0], jacobians[1], atol=1e-5, rtol=0)


# --- symmetry -----------------------------------------------------------------------------------


def test_the_nearest_equivalent_turn_is_as_far_as_the_symmetric_angle():
    true, estimated = (Rotation.random(60, rng=s).as_quat(scalar_first=True) for s in (3, 4))
    turn, predicted = (
        torch.from_numpy(rotation_from_wxyz(turn_from_front(q)).as_matrix())
        for q in (true, estimated)
    )
    for fold in (0, 1, 2, 3, 4):
        folds = torch.full((60,), fold)
        nearest = nearest_equivalent(turn, predicted, folds)
        expected = symmetric_angle(true, estimated, fold)
        assert np.allclose(geodesic(nearest, predicted), expected, atol=1e-7)
        # and it is the same to look at as the true one
        same = Rotation.from_matrix(nearest.numpy())
        front = Rotation.from_quat(turn_from_front([1, 0, 0, 0]), scalar_first=True).inv()
        seen = (same * front).as_quat(scalar_first=True)
        assert np.allclose(symmetric_angle(seen, true, fold), 0, atol=1e-7)


def test_the_nearest_equivalent_is_by_fold_and_takes_no_gradient_from_the_estimate():
    turn, predicted = random_turns(3, 5), random_turns(3, 6).requires_grad_()
    nearest = nearest_equivalent(turn, predicted, torch.tensor([1, 0, 2]))
    assert torch.equal(nearest[0], turn[0])
    assert not nearest.requires_grad
    before, after = geodesic(turn, predicted), geodesic(nearest, predicted)
    assert (after <= before + 1e-9).all()


# --- the steps of training ----------------------------------------------------------------------


def config(**changes: object) -> ObjectsConfig:
    defaults = {"head": "axis_angle", "symmetric": False, "fusion": "weighted"}
    return replace(scratch_config(), **{**defaults, **changes})


def batch(head: str = "axis_angle", networks: int = 4) -> tuple[ObjectsOut, ...]:
    one = create_head(config(head=head))
    raw = torch.randn(8, networks, one.size)
    out = ObjectsOut(torch.randn(8, 4, requires_grad=True), one.vector(raw).requires_grad_())
    category = torch.arange(8) % 4
    return out, category, random_turns(8).float(), torch.ones(8, dtype=torch.bool)


def gradients(loss: torch.Tensor, out: ObjectsOut) -> list[torch.Tensor]:
    pair = torch.autograd.grad(loss, [out.logits, out.vectors], allow_unused=True)
    return [torch.zeros(1) if g is None else g for g in pair]


def test_the_pose_step_is_the_oracles():
    out, category, turn, has_pose = batch()
    found = ObjectsLoss(config(), CATEGORIES)(out, category, turn, has_pose, "pose")
    own = out.vectors[torch.arange(8), category]
    errors = geodesic(exponential_map(own), turn)
    torch.testing.assert_close(found["loss"], errors.mean())
    torch.testing.assert_close(found["error_deg"], torch.rad2deg(errors.detach()).mean())
    assert set(found) == {"pose", "error_deg", "loss"}
    logits, vectors = gradients(found["loss"], out)
    assert not logits.any()
    learns = vectors.abs().sum(dim=2) > 0
    assert torch.equal(learns, torch.nn.functional.one_hot(category, 4).bool())


def test_the_category_step_is_cross_entropy():
    out, category, turn, has_pose = batch()
    found = ObjectsLoss(config(), CATEGORIES)(out, category, turn * math.nan, ~has_pose, "category")
    expected = -out.logits.log_softmax(1)[torch.arange(8), category].mean()
    torch.testing.assert_close(found["loss"], expected)
    assert not gradients(found["loss"], out)[1].any()


@pytest.mark.parametrize("rule", ["weighted", "top1", "chordal"])
@pytest.mark.parametrize("weight", [0.1, 1.0])
def test_the_joint_step_adds_lambda_times_the_category_loss(rule, weight):
    out, category, turn, has_pose = batch()
    loss = ObjectsLoss(config(fusion=rule, category_weight=weight), CATEGORIES)
    found = loss(out, category, turn, has_pose, "joint")
    rotation = fused_rotation(create_head(config()), out.vectors, out.logits.softmax(dim=1), rule)
    torch.testing.assert_close(found["pose"], geodesic(rotation, turn).mean())
    torch.testing.assert_close(found["loss"], found["pose"] + weight * found["category"])


@pytest.mark.parametrize(("rule", "reaches"), [("weighted", True), ("top1", False),
                                              ("chordal", True)])  # fmt: skip
def test_the_pose_teaches_the_category_unless_it_only_chooses(rule, reaches):
    out, category, turn, has_pose = batch()
    loss = ObjectsLoss(config(fusion=rule, category_weight=0.0), CATEGORIES)
    logits, vectors = gradients(loss(out, category, turn, has_pose, "joint")["loss"], out)
    assert bool(logits.any()) is reaches
    learns = (vectors.abs().sum(dim=2) > 0).sum(dim=1)
    assert torch.equal(learns, torch.full((8,), 4 if reaches else 1))


@pytest.mark.parametrize("head", ["fisher", "bins"])
def test_losses_without_an_angle_take_the_weighted_sum_for_chordal(head):
    out, category, turn, has_pose = batch(head)
    found = [
        ObjectsLoss(config(head=head, fusion=rule), CATEGORIES)(
            out, category, turn, has_pose, "joint"
        )["loss"]
        for rule in ("weighted", "chordal")
    ]
    assert torch.equal(found[0], found[1])


@pytest.mark.parametrize("head", ["axis_angle", "sixd", "fisher", "bins"])
@pytest.mark.parametrize("step", ["pose", "joint"])
@pytest.mark.parametrize("fusion", ["weighted", "top1", "chordal"])
def test_objects_without_a_pose_count_for_the_category_alone(head, step, fusion):
    out, category, turn, has_pose = batch(head)
    has_pose[2:5] = False
    turn[2:5] = math.nan
    loss = ObjectsLoss(config(head=head, fusion=fusion, symmetric=True), CATEGORIES)
    found = loss(out, category, turn, has_pose, step)
    known = ObjectsOut(out.logits[has_pose], out.vectors[has_pose])
    part = loss(known, category[has_pose], turn[has_pose], has_pose[has_pose], step)
    torch.testing.assert_close(found["pose"], part["pose"])
    logits, vectors = gradients(found["loss"], out)
    assert torch.isfinite(vectors).all()
    assert not vectors[2:5].any()
    assert bool(logits[2:5].any()) is (step == "joint")
    nobody = loss(out, category, turn * math.nan, has_pose & False, step)
    assert nobody["pose"].item() == 0.0
    assert torch.isfinite(gradients(nobody["loss"], out)[1]).all()


def test_one_network_for_all_is_judged_as_it_is():
    out, category, turn, has_pose = batch(networks=1)
    expected = geodesic(exponential_map(out.vectors[:, 0]), turn).mean()
    for step in ("pose", "joint"):
        found = ObjectsLoss(config(), CATEGORIES)(out, category, turn, has_pose, step)
        torch.testing.assert_close(found["pose"], expected)


def test_symmetric_objects_are_judged_by_the_nearest_of_their_equal_turns():
    out, category, turn, has_pose = batch()
    own = exponential_map(out.vectors[torch.arange(8), category].detach())
    plain, granted = (
        ObjectsLoss(config(symmetric=s), CATEGORIES)(out, category, turn, has_pose, "pose")["pose"]
        for s in (False, True)
    )
    folds = torch.tensor([1, 0, 2, 1])[category]
    expected = geodesic(own, nearest_equivalent(turn, own, folds)).mean()
    torch.testing.assert_close(granted, expected)
    assert granted < plain


def test_other_heads_take_their_own_loss():
    for head in ("fisher", "bins"):
        out, category, turn, has_pose = batch(head)
        found = ObjectsLoss(config(head=head), CATEGORIES)(out, category, turn, has_pose, "pose")
        own = out.vectors[torch.arange(8), category]
        expected = create_head(config(head=head)).loss(own, turn).mean()
        torch.testing.assert_close(found["loss"], expected)
