"""The categories' poses made one, for the category network says only how likely each is.

Weighted fusion adds vectors (Eq. 1). Axis-angle vectors do not add near pi: two rotations 10
degrees apart, on either side of pi, average to next to no rotation (PITFALLS 6). The chordal mean
adds rotation matrices and takes the nearest rotation, which is right there too.
"""

from __future__ import annotations

from typing import Literal

import roma
import torch
from torch import Tensor

from sightline.tasks.objects.heads import Head

Rule = Literal["weighted", "top1", "oracle", "chordal"]


def fuse(
    head: Head, vectors: Tensor, probabilities: Tensor, rule: Literal["weighted", "top1", "oracle"]
) -> Tensor:
    """Return (N, D) one vector a sample, in the head's own space.

    Args:
        head: Whose vectors they are.
        vectors: (N, P, D); with P = 1 the one is taken whatever the rule.
        probabilities: (N, K) of the categories; ``oracle``: 1 at the true category, else 0.
        rule: ``weighted`` (Eq. 1), ``top1`` (Eq. 2) or ``oracle``.
    """
    if vectors.shape[1] == 1:
        return vectors[:, 0]
    if rule == "weighted":
        return (vectors * probabilities[..., None].to(vectors.dtype)).sum(dim=1)
    return chosen(vectors, probabilities.argmax(dim=1))


def fused_rotation(head: Head, vectors: Tensor, probabilities: Tensor, rule: Rule) -> Tensor:
    """Return (N, 3, 3) one rotation a sample.

    Args:
        head: Whose vectors they are.
        vectors: (N, P, D).
        probabilities: As for :func:`fuse`.
        rule: One of those of :func:`fuse`, or ``chordal``: the mean rotation.
    """
    if rule != "chordal" or vectors.shape[1] == 1:
        return head.rotation(fuse(head, vectors, probabilities, _vector_rule(rule)))
    return chordal_mean(head.rotation(vectors), probabilities)


def chordal_mean(rotations: Tensor, weights: Tensor) -> Tensor:
    """Return (N, 3, 3) rotations of the least weighted sum of squared chordal distances.

    Args:
        rotations: (N, P, 3, 3).
        weights: (N, P).
    """
    total = (rotations * weights[..., None, None].to(rotations.dtype)).sum(dim=1)
    mean: Tensor = roma.special_procrustes(total)
    return mean


def ranked_rotations(head: Head, vectors: Tensor, probabilities: Tensor, k: int) -> Tensor:
    """Return (N, k, 3, 3): the poses of the likeliest, the second likeliest ... category.

    With one pose network for all categories the k are the same. Source: Table 13.

    Args:
        head: Whose vectors they are.
        vectors: (N, P, D).
        probabilities: (N, K) of the categories.
        k: How many; no more than there are categories.
    """
    if vectors.shape[1] == 1:
        return head.rotation(vectors).expand(-1, k, 3, 3)
    order = probabilities.topk(k, dim=1).indices
    return head.rotation(torch.stack([chosen(vectors, order[:, i]) for i in range(k)], dim=1))


def chosen(vectors: Tensor, category: Tensor) -> Tensor:
    """Return (N, D) the vectors of one category each, or of the one network there is.

    Args:
        vectors: (N, P, D).
        category: (N,).
    """
    if vectors.shape[1] == 1:
        return vectors[:, 0]
    return vectors[torch.arange(len(vectors), device=vectors.device), category]


def _vector_rule(rule: Rule) -> Literal["weighted", "top1", "oracle"]:
    return "weighted" if rule == "chordal" else rule
