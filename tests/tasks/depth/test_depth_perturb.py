"""Perturbations against torchvision's, and in closed form."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.learning.torchvision_compat import import_torchvision
from sightline.tasks.depth.perturb import (
    ColourJitter,
    cutmix,
    draw_blurs,
    draw_colours,
    draw_cuts,
    gaussian_blur,
    perturb_strongly,
)


@pytest.fixture
def images() -> Tensor:
    """Three images of middling values, which no small change takes out of 0 to 255."""
    generator = torch.Generator().manual_seed(0)
    return 80.0 + 90.0 * torch.rand(3, 3, 20, 28, generator=generator)


def only(**changes: list[float]) -> ColourJitter:
    parts: dict[str, NDArray[np.float64]] = {
        name: np.ones(3) for name in ("brightness", "contrast", "saturation")
    }
    parts["hue"] = np.zeros(3)
    return ColourJitter(**parts | {k: np.array(v) for k, v in changes.items()})


@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation"])
def test_colours_change_as_torchvision_changes_them(name: str, images: Tensor) -> None:
    import_torchvision()
    from torchvision.transforms.v2 import functional

    factors = [0.7, 1.0, 1.3]
    changed = only(**{name: factors}).apply(images)
    change = getattr(functional, f"adjust_{name}")
    for k, factor in enumerate(factors):
        wanted = 255.0 * change(images[k] / 255.0, factor)
        torch.testing.assert_close(changed[k], wanted, rtol=1e-3, atol=0.2)


def test_changes_follow_each_other_in_the_order_they_are_named(images: Tensor) -> None:
    all_of_it = ColourJitter(np.full(3, 1.2), np.full(3, 0.8), np.full(3, 0.6), np.full(3, 0.1))
    step = images
    for change in (
        {"brightness": [1.2] * 3},
        {"contrast": [0.8] * 3},
        {"saturation": [0.6] * 3},
        {"hue": [0.1] * 3},
    ):
        step = only(**change).apply(step)
    torch.testing.assert_close(all_of_it.apply(images), step, rtol=1e-4, atol=1e-2)


def test_a_third_of_a_turn_of_hue_makes_red_green_as_torchvision_has_it(images: Tensor) -> None:
    import_torchvision()
    from torchvision.transforms.v2 import functional

    turned = only(hue=[1 / 3, -1 / 3, 0.0]).apply(images)
    torch.testing.assert_close(turned[0], images[0].roll(1, 0), rtol=0, atol=1e-3)
    wanted = 255.0 * functional.adjust_hue(images[1] / 255.0, -1 / 3)
    torch.testing.assert_close(turned[1], wanted, rtol=0, atol=1e-2)
    torch.testing.assert_close(turned[2], images[2])
    grey = images[:, :1].expand(-1, 3, -1, -1)
    torch.testing.assert_close(only(hue=[0.1, 0.2, 0.5]).apply(grey), grey, rtol=0, atol=1e-3)


def test_colours_stay_within_a_picture(images: Tensor) -> None:
    bright = only(brightness=[5.0, 5.0, 0.0]).apply(images)
    assert (float(bright.max()), float(bright[2].max())) == (255.0, 0.0)


def test_of_drawn_colours_a_share_is_changed_and_none_too_far() -> None:
    drawn = draw_colours(np.random.default_rng(0), 4000, (0.5, 0.4, 0.3, 0.2), share=0.8)
    assert np.abs(drawn.brightness - 1).max() == pytest.approx(0.5, abs=0.01)
    assert np.abs(drawn.hue).max() == pytest.approx(0.2, abs=0.01)
    changed = drawn.brightness != 1
    assert changed.mean() == pytest.approx(0.8, abs=0.02)
    assert np.array_equal(changed, drawn.contrast != 1)


def test_a_blur_is_torchvisions_gaussian_and_each_image_has_its_own(images: Tensor) -> None:
    import_torchvision()
    from torchvision.transforms.v2 import functional

    sigma = np.array([1.0, 0.0, 1.9])
    blurred = gaussian_blur(images, sigma)
    size = 2 * int(np.ceil(3 * 1.9)) + 1
    for k in (0, 2):
        wanted = functional.gaussian_blur(images[k], [size, size], [sigma[k], sigma[k]])
        torch.testing.assert_close(blurred[k], wanted, rtol=1e-4, atol=1e-2)
    assert torch.equal(blurred[1], images[1])
    assert torch.equal(gaussian_blur(images, np.zeros(3)), images)
    # on an image smaller than the kernel it is cut to what can be mirrored
    tiny = gaussian_blur(images[..., :3, :3], np.full(3, 2.0))
    assert bool(tiny.isfinite().all())


def test_half_of_the_images_are_blurred() -> None:
    sigma = draw_blurs(np.random.default_rng(0), 4000)
    assert (sigma > 0).mean() == pytest.approx(0.5, abs=0.03)
    assert 0.1 <= sigma[sigma > 0].min() < sigma.max() <= 2.0


def test_cuts_are_rectangles_of_the_said_areas_in_the_said_share() -> None:
    cut = draw_cuts(np.random.default_rng(0), 600, 36, 48, share=0.5)
    areas = cut.mean(axis=(1, 2))
    there = areas > 0
    assert there.mean() == pytest.approx(0.5, abs=0.07)
    assert 0.08 < areas[there].min() < 0.15
    assert 0.4 < areas[there].max() < 0.53
    for mask in cut[there]:
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert mask.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert not draw_cuts(np.random.default_rng(0), 50, 36, 48, share=0.0).any()


def test_a_cut_shows_the_next_images_pixels_label_and_mask(images: Tensor) -> None:
    targets = torch.arange(3.0)[:, None, None].expand(3, 20, 28)
    valid = torch.tensor([True, True, False])[:, None, None].expand(3, 20, 28)
    cut = torch.zeros(3, 20, 28, dtype=torch.bool)
    cut[:, 5:10, 4:9] = True
    cut[1] = False
    mixed, labels, known = cutmix(images, targets, valid, cut)
    for k, other in enumerate((1, 1, 0)):
        inside = cut[k] if k != 1 else torch.zeros(20, 28, dtype=torch.bool)
        assert torch.equal(mixed[k][:, inside], images[other][:, inside])
        assert torch.equal(mixed[k][:, ~inside], images[k][:, ~inside])
        assert bool((labels[k][inside] == other).all())
        assert bool((labels[k][~inside] == k).all())
        assert torch.equal(known[k][inside], valid[other][inside])


def test_strong_perturbation_moves_no_label_and_is_a_function_of_its_seed(images: Tensor) -> None:
    """The labels are the clean images': colour and blur must not touch them."""
    targets, valid = torch.rand(3, 20, 28), torch.ones(3, 20, 28, dtype=torch.bool)
    clean = images.clone()
    first = perturb_strongly(images, targets, valid, np.random.default_rng(4), 1.0)
    again = perturb_strongly(images, targets, valid, np.random.default_rng(4), 1.0)
    other = perturb_strongly(images, targets, valid, np.random.default_rng(5), 1.0)
    assert torch.equal(images, clean)
    for a, b in zip(first, again, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first[0], other[0])
    changed, labels, _, cut = first
    assert bool(cut.flatten(1).any(1).all())
    assert torch.equal(labels, torch.where(cut, targets.roll(-1, 0), targets))
    assert float((changed - clean).abs().mean()) > 5.0


def test_an_image_alone_in_its_batch_is_not_mixed_with_itself(images: Tensor) -> None:
    one = torch.ones(1, 20, 28)
    cut = perturb_strongly(images[:1], one, one > 0, np.random.default_rng(0), 1.0)[3]
    assert not cut.any()
