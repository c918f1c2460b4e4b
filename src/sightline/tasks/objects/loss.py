"""The pose loss, the category loss, and their sum in the joint step (Sec. 3.2).

Samples without a known turn count for the category alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from sightline.records.objects import SYMMETRY
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.fusion import chosen, fuse, fused_rotation
from sightline.tasks.objects.heads import create_head
from sightline.tasks.objects.model import ObjectsOut
from sightline.tasks.objects.rotations import geodesic, nearest_equivalent

Step = Literal["pose", "category", "joint"]


class ObjectsLoss(nn.Module):
    """What each step of training (Table 1) makes small.

    - ``pose``: the loss of the true category's pose network (the oracle of Fig. 4);
    - ``category``: cross-entropy;
    - ``joint``: the loss of the fused pose, plus lambda times cross-entropy. With ``top1`` fusion
      the gradient goes through the chosen network, and the category learns from cross-entropy
      alone. With ``chordal`` fusion it goes through the mean rotation where the head's loss is the
      angle (axis_angle, sixd); a loss on distributions or views has no rotation to go through, and
      takes their weighted sum.
    """

    folds: Tensor

    def __init__(self, config: ObjectsConfig, categories: Sequence[str]) -> None:
        super().__init__()
        self._head = create_head(config)
        self._fusion = config.fusion
        self._angles = config.head in ("axis_angle", "sixd")
        self._symmetric = config.symmetric
        self._category_weight = config.category_weight
        folds = torch.tensor([SYMMETRY.get(name, 1) for name in categories])
        self.register_buffer("folds", folds, persistent=False)

    def forward(
        self, out: ObjectsOut, category: Tensor, turn: Tensor, has_pose: Tensor, step: Step
    ) -> dict[str, Tensor]:
        """Return ``loss`` and its terms ``pose``, ``error_deg`` and ``category``, batch means.

        ``error_deg`` is the mean angle between the pose and the target, for the log.

        Args:
            out: Of the network; what a step does not look at may be anything.
            category: (N,) true categories.
            turn: (N, 3, 3) true turns; anything where there is none.
            has_pose: (N,) whether there is one.
            step: Which step of training.
        """
        terms: dict[str, Tensor] = {}
        if step != "pose":
            terms["category"] = nn.functional.cross_entropy(out.logits, category)
        if step != "category":
            terms |= self._pose(out, category, turn, has_pose, step)
        if step == "joint":
            terms["loss"] = terms["pose"] + self._category_weight * terms["category"]
        else:
            terms["loss"] = terms[step]
        return terms

    def _pose(
        self, out: ObjectsOut, category: Tensor, turn: Tensor, has_pose: Tensor, step: Step
    ) -> dict[str, Tensor]:
        if not has_pose.any():
            return {"pose": out.vectors.sum() * 0.0}
        vectors, category = out.vectors[has_pose], category[has_pose]
        likely = out.logits[has_pose].softmax(dim=1)
        if not (torch.isfinite(vectors).all() and torch.isfinite(likely).all()):
            # an SVD of NaN fails before anybody can refuse the loss by its term's name
            return {"pose": vectors.sum() * torch.nan}
        true = turn[has_pose].to(vectors.dtype)
        if step == "joint" and self._fusion == "chordal" and self._angles:
            rotation = fused_rotation(self._head, vectors, likely, "chordal")
            target = self._target(true, rotation, category)
            loss = geodesic(rotation, target)
            return {"pose": loss.mean(), "error_deg": torch.rad2deg(loss.detach()).mean()}
        if step == "pose":
            vector = chosen(vectors, category)
        else:
            rule: Literal["top1", "weighted"] = "top1" if self._fusion == "top1" else "weighted"
            vector = fuse(self._head, vectors, likely, rule)
        with torch.no_grad():
            rotation = self._head.rotation(vector)
        target = self._target(true, rotation, category)
        error = torch.rad2deg(geodesic(rotation, target)).mean()
        return {"pose": self._head.loss(vector, target).mean(), "error_deg": error}

    def _target(self, true: Tensor, rotation: Tensor, category: Tensor) -> Tensor:
        if not self._symmetric:
            return true
        return nearest_equivalent(true, rotation, self.folds[category])
