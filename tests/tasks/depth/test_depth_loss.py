"""Losses against closed forms and NumPy; what they must not see; finite gradients everywhere."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.tasks.depth.loss import (
    affine_invariant,
    cutmix_loss,
    feature_alignment,
    gradient_matching,
    mean_of_counting,
    shift_and_scale,
    silog,
)


def some_images(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return predictions and targets (3, 8, 11), and masks with an odd number of pixels each."""
    rng = np.random.default_rng(seed)
    prediction = torch.from_numpy(rng.uniform(0.0, 3.0, (3, 8, 11))).float()
    target = torch.from_numpy(rng.uniform(0.1, 2.0, (3, 8, 11))).float()
    valid = rng.random((3, 8, 11)) < 0.7
    for mask in valid:
        if mask.sum() % 2 == 0:
            mask.flat[np.flatnonzero(mask)[0]] = False
    return prediction, target, torch.from_numpy(valid)


def plain_normalised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    shifted = values - np.median(values)
    return shifted / np.abs(shifted).mean()


def test_affine_invariant_loss_is_what_numpy_makes_of_its_definition() -> None:
    prediction, target, valid = some_images()
    loss, counts = affine_invariant(prediction, target, valid)
    assert counts.all()
    for k in range(3):
        mask = valid[k].numpy()
        said = plain_normalised(prediction[k].double().numpy()[mask])
        true = plain_normalised(target[k].double().numpy()[mask])
        assert float(loss[k]) == pytest.approx(np.abs(said - true).mean(), rel=1e-5)


def test_affine_invariant_loss_of_a_turned_ramp_in_closed_form() -> None:
    """Median 2 and deviation 1.2 on both sides: the differences are 4, 2, 0, 2, 4 over 1.2."""
    ramp = torch.arange(5.0)[None, None]
    loss, _ = affine_invariant(ramp.flip(-1), ramp, torch.ones_like(ramp, dtype=torch.bool))
    assert float(loss) == pytest.approx(2.4 / 1.2, rel=1e-6)


def test_of_an_even_number_of_pixels_the_lower_middle_is_the_shift() -> None:
    values = torch.tensor([[[4.0, 1.0, 3.0, 100.0]]])
    shift, scale = shift_and_scale(values, torch.ones_like(values, dtype=torch.bool))
    assert (float(shift), float(scale)) == (3.0, (1.0 + 2.0 + 0.0 + 97.0) / 4)


@pytest.mark.parametrize("gradient_weight", [0.0, 0.5])
def test_no_scale_and_shift_of_either_side_changes_the_loss(gradient_weight: float) -> None:
    prediction, target, valid = some_images()
    loss, _ = affine_invariant(prediction, target, valid, gradient_weight)
    other, _ = affine_invariant(
        40.0 * prediction + 7.0, 0.01 * target - 3e-3, valid, gradient_weight
    )
    torch.testing.assert_close(other, loss, rtol=1e-3, atol=1e-4)
    exact, _ = affine_invariant(2.5 * target + 1.0, target, valid, gradient_weight)
    torch.testing.assert_close(exact, torch.zeros(3), rtol=0, atol=1e-5)
    turned, _ = affine_invariant(-target, target, valid, gradient_weight)
    assert bool((turned > 1.0).all())  # a negative scale is an error, not an alignment


def test_unknown_pixels_say_nothing_whatever_stands_there() -> None:
    prediction, target, valid = some_images()
    loss, _ = affine_invariant(prediction, target, valid, 0.5)
    target[~valid] = torch.nan
    prediction[~valid] = 1e6
    other, _ = affine_invariant(prediction, target, valid, 0.5)
    torch.testing.assert_close(other, loss)


def flat(value: float) -> tuple[Tensor, Tensor]:
    return torch.full((1, 6, 6), value), torch.ones(1, 6, 6, dtype=torch.bool)


def one_pixel() -> tuple[Tensor, Tensor]:
    valid = torch.zeros(1, 6, 6, dtype=torch.bool)
    valid[0, 2, 3] = True
    return torch.rand(1, 6, 6), valid


@pytest.mark.parametrize(
    "scene",
    [
        lambda: flat(0.37),
        lambda: flat(0.0),
        one_pixel,
        lambda: (torch.rand(1, 6, 6), torch.zeros(1, 6, 6, dtype=torch.bool)),
    ],
    ids=["constant", "zero", "one pixel", "none"],
)
def test_an_image_without_a_scale_adds_nothing(
    scene: Callable[[], tuple[Tensor, Tensor]],
) -> None:
    """PITFALLS 12: 0 / 0 would be NaN, and stop the training."""
    target, valid = scene()
    good = torch.linspace(0, 1, 36).view(1, 6, 6)
    prediction = torch.rand(2, 6, 6, generator=torch.Generator().manual_seed(1))
    prediction.requires_grad_()
    loss, counts = affine_invariant(
        prediction,
        torch.cat([target, good]),
        torch.cat([valid, torch.ones_like(valid)]),
        0.5,
    )
    assert counts.tolist() == [False, True]
    assert loss[0].item() == 0.0
    mean = mean_of_counting(loss, counts)
    assert mean.item() == pytest.approx(loss[1].item())  # it does not dilute the others either
    mean.backward()
    assert prediction.grad is not None
    assert bool((prediction.grad[0] == 0).all())
    assert bool(prediction.grad.isfinite().all())
    assert float(prediction.grad[1].abs().sum()) > 0
    none = prediction[:1]
    alone = mean_of_counting(*affine_invariant(none, target, valid, 0.5))
    gradient = torch.autograd.grad(alone, prediction)[0]
    assert (alone.item(), gradient.abs().sum().item()) == (0.0, 0.0)


def test_a_constant_prediction_gets_a_bounded_gradient_that_spreads_it() -> None:
    prediction = torch.full((1, 5, 5), 0.7, requires_grad=True)
    target = torch.linspace(0, 1, 25).view(1, 5, 5)
    mask = torch.ones_like(target, dtype=torch.bool)
    loss, _ = affine_invariant(prediction, target, mask)
    loss.sum().backward()
    assert prediction.grad is not None
    assert bool(prediction.grad.isfinite().all())
    assert 0 < float(prediction.grad.abs().max()) < 1e4
    step = (prediction - 1e-6 * prediction.grad).detach()
    nearer, _ = affine_invariant(step, target, mask)
    assert nearer.item() < loss.item()


def test_gradient_matching_is_what_loops_make_of_its_definition() -> None:
    prediction, target, valid = some_images(3)
    rest = prediction - target
    for k in range(3):
        total = 0.0
        for step in (1, 2, 4, 8):
            r, m = rest[k].numpy()[::step, ::step], valid[k].numpy()[::step, ::step]
            part = 0.0
            for y in range(r.shape[0]):
                for x in range(r.shape[1]):
                    if x + 1 < r.shape[1] and m[y, x] and m[y, x + 1]:
                        part += abs(r[y, x + 1] - r[y, x])
                    if y + 1 < r.shape[0] and m[y, x] and m[y + 1, x]:
                        part += abs(r[y + 1, x] - r[y, x])
            total += part / max(m.sum(), 1)
        assert float(gradient_matching(rest, valid)[k]) == pytest.approx(total, rel=1e-5)


def test_gradient_matching_of_a_ramp_in_closed_form() -> None:
    """On 4 x 4 pixels 12 steps of 1 over 16, then 2 steps of 2 over 4, then nothing."""
    ramp = torch.arange(4.0).expand(1, 4, 4)
    mask = torch.ones_like(ramp, dtype=torch.bool)
    assert float(gradient_matching(ramp, mask)) == pytest.approx(12 / 16 + 4 / 4)
    assert float(gradient_matching(torch.full_like(ramp, 9.0), mask)) == 0.0
    mask[0, :, 2:] = False  # one step a line is left, of 8 pixels; then none
    assert float(gradient_matching(ramp, mask)) == pytest.approx(4 / 8)


def test_cutmix_gives_each_region_its_own_scale_and_shift() -> None:
    _, target, _ = some_images()
    mask = torch.ones_like(target, dtype=torch.bool)
    cut = torch.zeros_like(mask)
    cut[:, 2:6, 3:9] = True
    # right up to one affine map inside and another outside: what two images' labels allow
    prediction = torch.where(cut, 3.0 * target + 5.0, 0.2 * target)
    assert float(cutmix_loss(prediction, target, mask, cut, 0.0)) == pytest.approx(0.0, abs=1e-5)
    assert float(mean_of_counting(*affine_invariant(prediction, target, mask))) > 0.3


def test_cutmix_weighs_inside_and_outside_by_their_areas() -> None:
    prediction, target, valid = some_images()
    cut = torch.zeros_like(valid)
    cut[0, :4, :5] = True
    cut[1, 3:, 2:] = True  # the third has no cut
    inside, a = affine_invariant(prediction, target, valid & cut, 0.5)
    outside, b = affine_invariant(prediction, target, valid & ~cut, 0.5)
    assert (a.tolist(), b.tolist()) == ([True, True, False], [True, True, True])
    areas = torch.tensor([20 / 88, 45 / 88, 0.0])
    wanted = (areas * inside + (1 - areas) * outside).mean()
    assert float(cutmix_loss(prediction, target, valid, cut, 0.5)) == pytest.approx(float(wanted))
    no_cut = torch.zeros_like(cut)
    plain = mean_of_counting(*affine_invariant(prediction, target, valid, 0.5))
    assert float(cutmix_loss(prediction, target, valid, no_cut, 0.5)) == pytest.approx(float(plain))


def test_silog_of_a_constant_factor_and_of_scatter_in_closed_form() -> None:
    _, target, valid = some_images()
    wanted = 0.15**0.5 * np.log(1.5)
    assert float(silog(1.5 * target, target, valid)) == pytest.approx(wanted, abs=2e-3)
    # errors of +-s in equal numbers: mean 0, standard deviation s
    target = torch.full((1, 4, 4), 2.0)
    sign = torch.tensor([1.0, -1.0]).repeat(8).view(1, 4, 4)
    mask = torch.ones_like(target, dtype=torch.bool)
    assert float(silog(target * torch.exp(0.2 * sign), target, mask)) == pytest.approx(
        0.2, abs=2e-3
    )


def test_silog_has_a_finite_gradient_at_zero_error_and_without_pixels() -> None:
    """PITFALLS 8: the root's own gradient there is infinite."""
    target = torch.rand(2, 4, 4) + 0.5
    prediction = target.clone().requires_grad_()
    for valid in (torch.ones(2, 4, 4, dtype=torch.bool), torch.zeros(2, 4, 4, dtype=torch.bool)):
        loss = silog(prediction, target.masked_fill(~valid, torch.nan), valid)
        assert loss.item() == pytest.approx(0.0, abs=1e-6)
        assert bool(torch.autograd.grad(loss, prediction)[0].isfinite().all())


def test_feature_alignment_is_one_less_the_mean_cosine() -> None:
    rng = np.random.default_rng(0)
    f, g = rng.normal(size=(2, 2, 5, 3, 4))
    cosine = (f * g).sum(1) / np.linalg.norm(f, axis=1) / np.linalg.norm(g, axis=1)
    loss = feature_alignment(torch.from_numpy(f), torch.from_numpy(g))
    assert float(loss) == pytest.approx(1.0 - cosine.mean(), rel=1e-5)
    same = torch.from_numpy(f)
    assert float(feature_alignment(3.0 * same, same)) == pytest.approx(0.0, abs=1e-6)
    assert float(feature_alignment(-same, same)) == pytest.approx(2.0, abs=1e-6)


def test_the_margin_leaves_out_what_is_alike_enough() -> None:
    frozen = torch.tensor([[1.0, 0.0]] * 3).T.reshape(1, 2, 1, 3)
    angles = torch.tensor([0.1, 0.9, 2.0])  # cosines 0.995, 0.62, -0.42
    features = torch.stack([angles.cos(), angles.sin()]).reshape(1, 2, 1, 3).requires_grad_()
    loss = feature_alignment(features, frozen, margin=0.85)
    kept = angles[1:].cos().mean()
    assert loss.item() == pytest.approx(float(1.0 - kept), rel=1e-5)
    gradient = torch.autograd.grad(loss, features)[0]
    assert bool((gradient[..., 0] == 0).all())
    assert bool((gradient[..., 1:].abs().sum((0, 1, 2)) > 0).all())
    alike = feature_alignment(features[..., :1], frozen[..., :1], margin=0.85)
    gradient = torch.autograd.grad(alike, features)[0]
    assert (alike.item(), gradient.abs().sum().item()) == (0.0, 0.0)


def test_places_without_a_direction_are_left_out_of_the_alignment() -> None:
    features = torch.zeros(1, 4, 2, 2)
    features[..., 0] = 1.0
    features.requires_grad_()
    loss = feature_alignment(features, torch.ones(1, 4, 2, 2))
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert bool(torch.autograd.grad(loss, features)[0].isfinite().all())
