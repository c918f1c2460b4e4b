import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from scipy import integrate, special
from scipy.spatial.transform import Rotation

from sightline.geometry.viewpoint import cam_from_object, turn_from_front
from sightline.tasks.objects.config import scratch_config
from sightline.tasks.objects.fisher import (
    expected_angle,
    fisher_loss,
    log_constant,
    proper_svd,
)
from sightline.tasks.objects.heads import Head, create_head, into_ball, upright_views
from sightline.tasks.objects.rotations import geodesic

HEADS = ("axis_angle", "sixd", "fisher", "bins")


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def head(name: str, bins: int = 48) -> Head:
    return create_head(replace(scratch_config(), head=name, bins=bins))


def turns(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(Rotation.random(count, rng=seed).as_matrix())


# --- every head ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", HEADS)
def test_any_numbers_are_a_rotation(name):
    one = head(name)
    rotation = one.rotation(one.vector(5.0 * torch.randn(4, 3, one.size)))
    eye = torch.eye(3).expand(4, 3, 3, 3)
    torch.testing.assert_close(rotation @ rotation.mT, eye, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(4, 3))


@pytest.mark.parametrize("name", HEADS)
def test_the_loss_leads_to_the_true_turn(name):
    # upright views too far from the start for a lucky first step, tilted by 20 degrees
    one = head(name)
    wxyz = turn_from_front(cam_from_object([2.5, -1.0, 0.3], [0.4, -0.2, 1.0], np.radians(20)))
    true = torch.from_numpy(Rotation.from_quat(wxyz, scalar_first=True).as_matrix()).float()
    start, _ = one.start()
    raw = (start.repeat(3, 1) + 0.1 * torch.randn(3, one.size)).requires_grad_()
    optimiser = torch.optim.Adam([raw], lr=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 600)
    for _ in range(600):
        optimiser.zero_grad()
        one.loss(one.vector(raw), true).sum().backward()
        optimiser.step()
        schedule.step()
    error = torch.rad2deg(geodesic(one.rotation(one.vector(raw)), true))
    assert error.max() < 1.0


@pytest.mark.parametrize("name", HEADS)
def test_gradients_are_finite_where_networks_start_and_go_astray(name):
    one = head(name)
    start, _ = one.start()
    for raw in (start, torch.zeros(one.size), torch.full((one.size,), 1e4)):
        numbers = raw.repeat(4, 1).requires_grad_()
        loss = one.loss(one.vector(numbers), turns(4).float())
        loss.sum().backward()
        assert torch.isfinite(loss).all()
        assert torch.isfinite(numbers.grad).all()


@pytest.mark.parametrize("name", ["axis_angle", "sixd", "bins"])
def test_a_head_that_knows_of_no_spread_says_so(name):
    one = head(name)
    assert one.spread_deg(one.vector(torch.randn(5, one.size))).isnan().all()


# --- axis-angle ---------------------------------------------------------------------------------


def test_vectors_stay_inside_the_ball_of_radius_pi():
    raw = torch.tensor([[1e8, 0, 0], [3.0, -4.0, 0], [1e-5, 0, 2e-5], [0, 0, 0]])
    y = into_ball(raw)
    assert (y.norm(dim=1) < math.pi).all()
    assert y[0, 0] > 0.99999 * math.pi
    expected = math.pi * math.tanh(5 / math.pi) * torch.tensor([0.6, -0.8, 0])
    torch.testing.assert_close(y[1], expected)
    torch.testing.assert_close(y[2:], raw[2:], rtol=1e-5, atol=0)


@pytest.mark.parametrize("length", [1e-9, 2.9e-3, 3.2e-3, 0.5, 4.0])  # both branches
def test_the_ball_has_the_gradient_it_should(length):
    raw = (length * torch.tensor([[0.6, 0.0, -0.8]], dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(into_ball, raw, eps=1e-7)


def test_no_turn_is_learnt_from_as_any_other():
    raw = torch.zeros(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(into_ball, raw)
    torch.testing.assert_close(jacobian, torch.eye(3, dtype=torch.float64), rtol=1e-5, atol=0)


# --- six numbers --------------------------------------------------------------------------------


def test_six_numbers_are_the_first_two_columns():
    rotation = turns(6)
    vector = rotation[:, :, :2].mT.flatten(1) * torch.tensor([2.0] * 3 + [0.3] * 3)
    vector[:, 3:] += 0.7 * vector[:, :3]  # Gram-Schmidt takes this away again
    torch.testing.assert_close(head("sixd").rotation(vector), rotation)


def test_six_numbers_that_disagree_are_short():
    one = head("sixd")
    a = one.start()[0]
    agree, against = a[None], (a + torch.tensor([-1.0, 0, 0, 0, -0.9, 0]))[None]
    assert one.concentration(against) < 0.2 * one.concentration(agree)


# --- the matrix Fisher distribution -------------------------------------------------------------

SINGULAR = [(1.0, 0.5, -0.2), (5.0, 5.0, -5.0), (100.0, 50.0, -50.0), (300.0, 20.0, 1.0),
            (1e4, 1.0, 0.0), (1e4, 1e4, -9999.0)]  # fmt: skip


def test_no_preference_has_constant_one():
    assert log_constant(torch.zeros(3)).item() == pytest.approx(0.0, abs=1e-14)


@pytest.mark.parametrize("s", [1e-3, 0.1, 1.0, 10.0, 1e3, 1e4, 1e5])
def test_the_isotropic_constant_has_a_closed_form(s):
    # integral of exp(s tr R): with tr R = 1 + 2 cos, exp(s) (I0(2s) - I1(2s))
    expected = 3 * s + math.log(special.ive(0, 2 * s) - special.ive(1, 2 * s))
    found = log_constant(torch.full((3,), s, dtype=torch.float64)).item()
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-6)


@pytest.mark.parametrize("s", SINGULAR)
def test_the_constant_agrees_with_adaptive_quadrature(s):
    s1, s2, s3 = s

    def integrand(u: float) -> float:
        bessel = special.ive(0, (s1 - s2) * (1 - u) / 2) * special.ive(0, (s1 + s2) * (1 + u) / 2)
        return 0.5 * bessel * math.exp((s2 + s3) * (u - 1))

    ends = np.logspace(-9, 0, 25)
    edges = np.unique(np.concatenate([[-1.0], -1 + ends, 1 - ends, [1.0]]))
    panels = itertools.pairwise(edges)
    total = sum(integrate.quad(integrand, a, b, epsrel=1e-11, epsabs=0)[0] for a, b in panels)
    found = log_constant(torch.tensor(s, dtype=torch.float64)).item()
    assert found == pytest.approx(sum(s) + math.log(total), abs=1e-7)


def test_densities_sum_to_one_over_all_rotations():
    f = 1.5 * torch.randn(6, 3, 3, dtype=torch.float64)  # of both orientations
    assert {bool(d > 0) for d in torch.linalg.det(f)} == {True, False}
    rotations = turns(200_000)
    for one in f:
        density = torch.exp(-fisher_loss(one, rotations))
        assert density.mean().item() == pytest.approx(1.0, abs=0.03)


def test_the_constants_gradient_is_the_expected_rotation():
    f = torch.tensor([[1.2, 0.3, -0.5], [0.1, -0.9, 0.4], [0.7, 0.2, 0.6]], dtype=torch.float64)
    f.requires_grad_()
    rotations = turns(400_000)
    (fisher_loss(f, torch.zeros(3, 3))).backward()  # log c alone
    weight = torch.exp((rotations * f.detach()).sum((1, 2)))
    moment = (rotations * weight[:, None, None]).sum(0) / weight.sum()
    torch.testing.assert_close(f.grad, moment, atol=5e-3, rtol=0)


@pytest.mark.parametrize("scale", [0.5, 30.0])
def test_the_likelihood_has_the_gradient_it_should(scale):
    f = (scale * torch.randn(4, 3, 3, dtype=torch.float64)).requires_grad_()
    true = turns(4)
    assert torch.autograd.gradcheck(lambda x: fisher_loss(x, true), f, atol=1e-4)


@pytest.mark.parametrize("s", [0.0, 1.0, 1e3, 1e4])
def test_equal_singular_values_have_a_gradient(s):
    # at F = s R the density is symmetric about R, so its gradient is along R: (E[tr]/3 - 1) R
    true = turns(5)
    f = (s * true).requires_grad_()
    fisher_loss(f, true).sum().backward()
    along = (f.grad * true).sum((1, 2), keepdim=True) / 3
    torch.testing.assert_close(f.grad, along * true, atol=1e-9, rtol=1e-6)
    if s >= 1e3:  # E[tr R] - 3 of nearly Gaussian turns: -3 / (2 s)
        assert along[0].item() == pytest.approx(-1 / (2 * s), rel=2e-3)


def test_single_precision_is_enough():
    true = turns(40)
    near = torch.from_numpy(Rotation.from_rotvec(0.05 * np.eye(3)[0]).as_matrix())
    for scale in (1.0, 1e2, 1e4):
        f = scale * (true @ near)
        exact, found = f.clone().requires_grad_(), f.float().requires_grad_()
        head("fisher").loss(exact.flatten(1), true).sum().backward()
        head("fisher").loss(found.flatten(1), true.float()).sum().backward()
        torch.testing.assert_close(found.grad.double(), exact.grad, rtol=2e-3, atol=1e-6)


def test_singular_values_are_proper():
    f = torch.randn(50, 3, 3, dtype=torch.float64)
    u, s, v = proper_svd(f)
    torch.testing.assert_close(u @ torch.diag_embed(s) @ v.mT, f)
    torch.testing.assert_close(torch.linalg.det(u), torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(torch.linalg.det(v), torch.ones(50, dtype=torch.float64))
    assert (s[:, 0] >= s[:, 1]).all()
    assert (s[:, 1] >= s[:, 2].abs()).all()
    torch.testing.assert_close(roma.special_procrustes(f), u @ v.mT)


@pytest.mark.parametrize("s", [0.0, 0.3, 3.0, 30.0, 1e3, 1e4])
def test_the_expected_error_has_a_closed_form_where_no_axis_is_special(s):
    # angles of uniform rotations have density (1 - cos) / pi
    def density(angle: float) -> float:
        return (1 - math.cos(angle)) * math.exp(2 * s * (math.cos(angle) - 1))

    reach = min(math.pi, 12 / math.sqrt(max(s, 1e-9)))
    mass = integrate.quad(density, 0, reach)[0]
    mean = integrate.quad(lambda a: a * density(a), 0, reach)[0] / mass
    f = s * turns(1).flatten(1)
    assert head("fisher").spread_deg(f).item() == pytest.approx(math.degrees(mean), rel=5e-3)


def test_the_expected_error_of_an_unsure_axis_is_what_sampling_gives():
    s = torch.tensor([40.0, 6.0, -5.0], dtype=torch.float64)  # sure of an axis, not of the turn
    rotations = turns(2_000_000)
    weight = torch.exp(rotations.diagonal(dim1=1, dim2=2) @ s - s.sum())
    angle = geodesic(rotations, torch.eye(3, dtype=torch.float64))
    expected = (weight * angle).sum() / weight.sum()
    assert expected_angle(s).item() == pytest.approx(expected.item(), rel=0.03)


def test_certainty_grows_with_the_parameter_and_keeps_the_mode():
    one, true = head("fisher"), turns(3).float()
    concentration = [one.concentration((s * true).flatten(1)) for s in (0.1, 10.0, 1000.0)]
    assert (concentration[0] < concentration[1]).all()
    assert (concentration[1] < concentration[2]).all()
    torch.testing.assert_close(one.rotation((7.0 * true).flatten(1)), true)


# --- views to choose ----------------------------------------------------------------------------


def test_views_are_spread_over_upright_ones():
    views = upright_views(48).double()
    angles = torch.rad2deg(geodesic(views[:, None], views[None])) + 1000 * torch.eye(48)
    assert angles.min() > 15
    grid = np.stack(np.meshgrid(np.radians(np.arange(0, 360, 10)), np.radians([0, 20, 40])), -1)
    wxyz = turn_from_front(cam_from_object(*grid.reshape(-1, 2).T, 0.0))
    seen = torch.from_numpy(Rotation.from_quat(wxyz, scalar_first=True).as_matrix())
    nearest = torch.rad2deg(geodesic(seen[:, None], views[None])).amin(dim=1)
    assert nearest.max() < 30


def test_the_likeliest_view_and_its_residual_are_the_answer():
    one = head("bins", bins=5)
    raw = torch.zeros(1, one.size)
    raw[0, 3] = 2.0
    raw[0, 5 + 9 : 5 + 12] = torch.tensor([0.1, 0.0, 0.0])
    expected = roma.rotvec_to_rotmat(into_ball(torch.tensor([0.1, 0, 0]))) @ one.views[3]
    torch.testing.assert_close(one.rotation(one.vector(raw))[0], expected)
    share = math.exp(2) / (math.exp(2) + 4)
    assert one.concentration(one.vector(raw)).item() == pytest.approx(share)


def test_the_loss_of_views_is_entropy_and_what_is_left_of_the_turn():
    one = head("bins", bins=5)
    true = roma.rotvec_to_rotmat(torch.tensor([[0.0, 0.2, 0.0]])) @ one.views[2]
    raw = torch.zeros(1, one.size)
    assert one.loss(one.vector(raw), true).item() == pytest.approx(math.log(5) + 0.2, abs=1e-5)
    raw[0, 2] = 30.0
    raw[0, 5 + 6 : 5 + 9] = torch.tensor([0.0, 0.2, 0.0])
    assert one.loss(one.vector(raw), true).item() == pytest.approx(0.0, abs=1e-3)
    raw[0, 5:8] = 3.0  # another view's residual does not count
    assert one.loss(one.vector(raw), true).item() == pytest.approx(0.0, abs=1e-3)
