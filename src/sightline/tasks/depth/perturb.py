"""Perturbations of training images: colour, blur, CutMix, on whole batches.

The strong ones, S of the method, make learning from pseudo-labels harder than labelling was: the
teacher saw the clean image, the student does not.

Source: report 003, Sec. 5.4.1; Yang et al. 2024, Sec. 3.2. The strengths are ours: neither
prints any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

#: Largest relative change of brightness, contrast, saturation, and of hue in turns; and the
#: share of images whose colour is changed.
STRONG_COLOUR = (0.5, 0.5, 0.5, 0.25)
STRONG_COLOUR_SHARE = 0.8

#: Standard deviation of the blur in pixels, and the share of images that are blurred.
BLUR_SIGMA = (0.1, 2.0)
BLUR_SHARE = 0.5

#: Share of the image that a cut takes, and its height over its width.
CUT_AREA = (0.1, 0.5)
CUT_ASPECT = (0.5, 2.0)

#: How much each channel has in the brightness of a colour (Rec. 601).
_GREY = (0.299, 0.587, 0.114)

_GREY_AXIS = np.ones(3) / np.sqrt(3.0)


@dataclass(frozen=True, eq=False)
class ColourJitter:
    """How the colours of N images are changed.

    Attributes:
        brightness: (N,) factors, 1 leaves it.
        contrast: (N,) factors.
        saturation: (N,) factors.
        hue: (N,) turns about the grey axis, 0 leaves it.
    """

    brightness: NDArray[np.float64]
    contrast: NDArray[np.float64]
    saturation: NDArray[np.float64]
    hue: NDArray[np.float64]

    def apply(self, images: Tensor) -> Tensor:
        """Return changed (N, 3, H, W) images of values 0 to 255.

        Brightness, contrast, saturation and hue are each an affine map of colours, so all four are
        one map, and what it leaves of 0 to 255 is cut off once, at the end.
        """
        grey = np.array(_GREY)
        mean = images.mean((2, 3)).double().cpu().numpy()
        matrix = self.brightness[:, None, None] * np.eye(3)
        middle = self.brightness * (mean @ grey)  # what contrast leaves alone: the mean's grey
        matrix = self.contrast[:, None, None] * matrix
        offset = ((1.0 - self.contrast) * middle)[:, None] * np.ones(3)
        drained = np.ones((3, 1)) @ grey[None]  # every colour's own grey
        kept = self.saturation[:, None, None]
        turn = _hue_turns(self.hue) @ (kept * np.eye(3) + (1.0 - kept) * drained)
        matrix, offset = turn @ matrix, (turn @ offset[:, :, None])[:, :, 0]
        maps = torch.from_numpy(matrix).to(images)
        shifts = torch.from_numpy(offset).to(images)
        changed = torch.baddbmm(shifts[:, :, None], maps, images.flatten(2))
        return changed.view_as(images).clamp(0.0, 255.0)


def draw_colours(
    rng: np.random.Generator,
    count: int,
    largest: tuple[float, float, float, float],
    share: float = 1.0,
) -> ColourJitter:
    """Draw how colours are changed.

    Args:
        rng: Where the draws come from.
        count: How many images.
        largest: Largest change of brightness, contrast, saturation (relative) and hue (turns).
        share: Of the images that are changed at all.
    """
    change = rng.uniform(-1.0, 1.0, (4, count)) * np.array(largest)[:, None]
    change *= rng.random(count) < share
    return ColourJitter(1.0 + change[0], 1.0 + change[1], 1.0 + change[2], change[3])


def draw_blurs(rng: np.random.Generator, count: int) -> NDArray[np.float64]:
    """Draw (N,) standard deviations of the blur in pixels; 0 for images that stay sharp."""
    sigma = rng.uniform(*BLUR_SIGMA, count)
    return np.where(rng.random(count) < BLUR_SHARE, sigma, 0.0)


def gaussian_blur(images: Tensor, sigma: NDArray[np.float64]) -> Tensor:
    """Return (N, 3, H, W) images, each blurred by its own Gaussian; the border is mirrored.

    Args:
        images: (N, 3, H, W) floats.
        sigma: (N,) standard deviations in pixels; 0 leaves an image exactly as it is.
    """
    rows = np.flatnonzero(sigma > 0)
    if len(rows) == 0:
        return images
    radius = min(int(np.ceil(3.0 * sigma.max())), min(images.shape[-2:]) - 1)
    steps = np.arange(-radius, radius + 1)
    kernels = np.exp(-0.5 * (steps / sigma[rows, None]) ** 2)
    kernels /= kernels.sum(1, keepdims=True)
    weights = torch.from_numpy(np.repeat(kernels, 3, axis=0)).to(images)
    # one group a channel of an image
    planes = images[rows].flatten(0, 1)[None]
    count = planes.shape[1]
    padded = functional.pad(planes, (radius,) * 4, mode="reflect")
    blurred = functional.conv2d(padded, weights[:, None, :, None], groups=count)
    blurred = functional.conv2d(blurred, weights[:, None, None, :], groups=count)
    out = images.clone()
    out[rows] = blurred.view(len(rows), 3, *images.shape[-2:])
    return out


def draw_cuts(
    rng: np.random.Generator, count: int, height: int, width: int, share: float
) -> NDArray[np.bool_]:
    """Draw (N, H, W) masks: one rectangle in a share of the images, nothing in the others."""
    cut = np.zeros((count, height, width), dtype=bool)
    chosen = rng.random(count) < share
    area = rng.uniform(*CUT_AREA, count)
    low, high = np.log(CUT_ASPECT)
    aspect = np.exp(rng.uniform(low, high, count))
    tall = np.clip(np.rint(height * np.sqrt(area * aspect)), 1, height).astype(int)
    wide = np.clip(np.rint(width * np.sqrt(area / aspect)), 1, width).astype(int)
    top = rng.integers(0, height - tall + 1)
    left = rng.integers(0, width - wide + 1)
    for k in np.flatnonzero(chosen):
        cut[k, top[k] : top[k] + tall[k], left[k] : left[k] + wide[k]] = True
    return cut


def cutmix(
    images: Tensor, targets: Tensor, valid: Tensor, cut: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return images, targets and masks of which the cut shows the next image of the batch.

    Args:
        images: (N, 3, H, W).
        targets: (N, H, W) labels of the clean images.
        valid: (N, H, W) which of them are known.
        cut: (N, H, W) bool; an image shows its neighbour's pixels where it is true.
    """
    return (
        torch.where(cut[:, None], images.roll(-1, 0), images),
        torch.where(cut, targets.roll(-1, 0), targets),
        torch.where(cut, valid.roll(-1, 0), valid),
    )


def perturb_strongly(
    images: Tensor, targets: Tensor, valid: Tensor, rng: np.random.Generator, cutmix_share: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return images, targets and masks under S, and (N, H, W) where they were cut in.

    Colours, blur, then CutMix: both sides of a cut keep their own colours and sharpness. An image
    alone in its batch has no other to be mixed with.

    Args:
        images: (N, 3, H, W) floats of 0 to 255, clean.
        targets: (N, H, W) labels of the clean images.
        valid: (N, H, W) which of them are known.
        rng: Where the draws come from.
        cutmix_share: Probability of a cut in each image.
    """
    count, height, width = targets.shape
    images = draw_colours(rng, count, STRONG_COLOUR, STRONG_COLOUR_SHARE).apply(images)
    images = gaussian_blur(images, draw_blurs(rng, count))
    share = cutmix_share if count > 1 else 0.0
    cut = torch.from_numpy(draw_cuts(rng, count, height, width, share)).to(images.device)
    return *cutmix(images, targets, valid, cut), cut


def _hue_turns(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N, 3, 3) rotations of colours about the grey axis; a third takes red to green."""
    angle = 2.0 * np.pi * turns[:, None, None]
    x, y, z = _GREY_AXIS
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    along = np.outer(_GREY_AXIS, _GREY_AXIS)
    turned = np.cos(angle) * np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * along
    return np.asarray(turned, dtype=np.float64)
