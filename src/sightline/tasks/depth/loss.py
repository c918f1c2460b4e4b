"""What depth networks minimise: affine-invariant, gradient matching, SILog, CutMix, features.

Every loss takes a mask of the pixels that count, and is finite with finite gradients whatever the
mask: an image without a scale (constant depth, one known pixel, none) adds nothing (PITFALLS 12).

Source: Ranftl et al. 2020 (MiDaS), Sec. 5; Yang et al. 2024 (Depth Anything), Sec. 3; report 003,
Eq. 1; Eigen et al. 2014, Eq. 4.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

#: A target whose mean deviation is below this share of its median has no scale to speak of.
_FLAT = 1e-5

#: A prediction's deviation is taken for at least this share of its median: while it is constant,
#: it gets a gradient that spreads it, and a bounded one.
_FLAT_PREDICTION = 1e-3

_TINY = 1e-6

#: Resolutions at which gradients are matched.
SCALES = 4

#: Weight of the squared mean in SILog: 1 would be the plain squared error of the logarithm.
_SILOG_MEAN = 0.15


def shift_and_scale(values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return (N,) medians and (N,) mean absolute deviations from them, over the valid pixels.

    Of an even number of pixels the median is the lower of the middle two, as in MiDaS. Both are 0
    where no pixel is valid.

    Args:
        values: (N, H, W) disparity, finite everywhere.
        valid: (N, H, W) which pixels count.
    """
    flat, mask = values.flatten(1), valid.flatten(1)
    counted = torch.where(mask, flat, torch.nan)
    counted = torch.where(mask.any(1, keepdim=True), counted, 0.0)  # none: nothing to take NaN of
    shift = counted.nanmedian(1).values
    scale = _mean((flat - shift[:, None]).abs(), mask)
    return shift, scale


def normalised(prediction: Tensor, target: Tensor, valid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return prediction and target without their shifts and scales, and (N,) which images count.

    Args:
        prediction: (N, H, W) disparity.
        target: (N, H, W) disparity, any finite number where it is not valid.
        valid: (N, H, W) which pixels count; only these say what shift and scale are.
    """
    shift, scale = shift_and_scale(target, valid)
    counts = scale > _FLAT * shift.abs() + torch.finfo(torch.float32).tiny
    target = (target - shift[:, None, None]) / torch.where(counts, scale, 1.0)[:, None, None]
    shift, scale = shift_and_scale(prediction, valid)
    least = _FLAT_PREDICTION * shift.detach().abs() + _TINY
    prediction = (prediction - shift[:, None, None]) / torch.maximum(scale, least)[:, None, None]
    return prediction, target, counts


def affine_invariant(
    prediction: Tensor, target: Tensor, valid: Tensor, gradient_weight: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Return (N,) losses that no scale and shift of either side change, and (N,) which count.

    The mean absolute difference after shift (median) and scale (mean absolute deviation) are
    taken out of both sides, and gradient matching beside it where it has a weight. Where an image
    does not count, its loss is 0 and so is its gradient.

    Args:
        prediction: (N, H, W) disparity.
        target: (N, H, W) disparity.
        valid: (N, H, W) which pixels count.
        gradient_weight: Weight of :func:`gradient_matching`; 0 = none.
    """
    target = torch.where(valid, target, 0.0)
    prediction, target, counts = normalised(prediction.float(), target, valid)
    rest = prediction - target
    loss = _mean(rest.abs().flatten(1), valid.flatten(1))
    if gradient_weight > 0:
        loss = loss + gradient_weight * gradient_matching(rest, valid)
    return torch.where(counts, loss, 0.0), counts


def gradient_matching(rest: Tensor, valid: Tensor, scales: int = SCALES) -> Tensor:
    """Return (N,) sums over scales of the mean absolute gradient of what a prediction misses.

    Edges of the prediction and of the target then lie together. Each scale takes every second
    pixel of the one before; a gradient counts where both of its pixels are valid, and its share is
    of the valid pixels.

    Args:
        rest: (N, H, W) prediction less target, both normalised.
        valid: (N, H, W) which pixels count.
        scales: How many resolutions.

    Source: Li and Snavely 2018, Eq. 4; Ranftl et al. 2020, Eq. 11.
    """
    total = rest.new_zeros(len(rest))
    for step in (2**k for k in range(scales)):
        part, mask = rest[:, ::step, ::step], valid[:, ::step, ::step]
        across = (part[:, :, 1:] - part[:, :, :-1]).abs() * (mask[:, :, 1:] & mask[:, :, :-1])
        down = (part[:, 1:] - part[:, :-1]).abs() * (mask[:, 1:] & mask[:, :-1])
        pixels = mask.flatten(1).sum(1).clamp(min=1)
        total = total + (across.flatten(1).sum(1) + down.flatten(1).sum(1)) / pixels
    return total


def mean_of_counting(loss: Tensor, counts: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return the scalar mean of the images that count; 0 with a zero gradient where none does.

    Args:
        loss: (N,) losses, 0 where an image does not count.
        counts: (N,) which images count.
        weight: (N,) weights; 1 where none are given.
    """
    share = counts.to(loss.dtype) if weight is None else counts * weight
    return (loss * share).sum() / share.sum().clamp(min=_TINY)


def cutmix_loss(
    prediction: Tensor, target: Tensor, valid: Tensor, cut: Tensor, gradient_weight: float = 0.0
) -> Tensor:
    """Return the scalar loss of images whose cut regions come from other images.

    Inside and outside have each a shift and scale of their own, because their targets are of
    different images; they are weighted by their areas. An image without a cut has one region.

    Args:
        prediction: (N, H, W) disparity of the mixed images.
        target: (N, H, W) disparity: inside the cut of the one image, outside of the other.
        valid: (N, H, W) which pixels count.
        cut: (N, H, W) which pixels lie inside.
        gradient_weight: Weight of the gradient matching; 0 = none.

    Source: Yang et al. 2024, Sec. 3.2, Eqs. 6-8.
    """
    area = cut.flatten(1).float().mean(1)
    regions, areas = [valid & ~cut], [1.0 - area]
    if bool(cut.any()):
        regions.append(valid & cut)
        areas.append(area)
    parts = [affine_invariant(prediction, target, r, gradient_weight) for r in regions]
    losses = torch.cat([loss for loss, _ in parts])
    return mean_of_counting(losses, torch.cat([c for _, c in parts]), torch.cat(areas))


def silog(prediction: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Return the scalar scale-invariant logarithmic error of metric depth, its scale counted too.

    The root of the variance of ``log prediction - log target`` and 0.15 times its squared mean,
    over the valid pixels of each image, then the mean over images.

    Args:
        prediction: (N, H, W) depth in metres, positive.
        target: (N, H, W) depth in metres, positive where it is valid.
        valid: (N, H, W) which pixels count.

    Source: Eigen et al. 2014, Eq. 4, with lambda = 0.85 and the root as Depth Anything fine-tunes.
    """
    mask = valid.flatten(1)
    truth = torch.where(valid, target, 1.0).flatten(1)
    error = prediction.float().flatten(1).clamp(min=_TINY).log() - truth.log()
    mean = _mean(error, mask)
    variance = _mean((error - mean[:, None]).square(), mask)
    # no root at zero, where its gradient is infinite (PITFALLS 8)
    loss = (variance + _SILOG_MEAN * mean.square() + _TINY).sqrt() - _TINY**0.5
    return mean_of_counting(loss, mask.any(1))


def feature_alignment(features: Tensor, frozen: Tensor, margin: float = 0.0) -> Tensor:
    """Return 1 - the mean cosine between two encoders' features of the same places (Eq. 1).

    Args:
        features: (N, C, h, w) of the student.
        frozen: (N, C, h, w) of the frozen encoder.
        margin: Places whose cosine is above this are alike enough and left out; 0 = none are.
            Zero with a zero gradient where all are.

    Source: report 003, Eq. 1; the margin: Yang et al. 2024, Sec. 3.3.
    """
    features, frozen = features.float(), frozen.float()
    # a zero vector has no direction, and the gradient of its norm is not finite
    there = (features.abs().amax(1) > _TINY) & (frozen.abs().amax(1) > _TINY)
    features = torch.where(there[:, None], features, 1.0)
    cosine = functional.cosine_similarity(features, frozen, dim=1)
    if margin > 0:
        there = there & (cosine.detach() <= margin)
    return mean_of_counting((1.0 - cosine).flatten(), there.flatten())


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return (N,) means of the masked values of (N, P); 0 where there are none."""
    counted = torch.where(mask, values, 0.0)
    return counted.sum(1) / mask.sum(1).clamp(min=1)
