"""What the stages of training minimise, and how they are validated."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sightline.tasks.depth.align import depth_of_disparity, fit_scale_shift
from sightline.tasks.depth.alignment import FeatureAlignment
from sightline.tasks.depth.batches import DepthBatch
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.loss import affine_invariant, cutmix_loss, mean_of_counting, silog
from sightline.tasks.depth.metrics import NYU_MAX_DEPTH_M
from sightline.tasks.depth.model import DepthNet
from sightline.tasks.depth.samples import Samples

#: Most images validated together; never more than are trained together, which fit into memory.
_BATCH = 16


class Learned(nn.Module):
    """Everything that a stage learns: the network, and what is thrown away after training."""

    def __init__(self, network: DepthNet, projection: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.projection = projection


class DepthTeaching:
    """What :func:`sightline.learning.fit.fit` needs of a stage."""

    def __init__(
        self,
        network: DepthNet,
        config: DepthConfig,
        held_out: Samples | None,
        alignment: FeatureAlignment | None = None,
    ) -> None:
        """Take what is trained.

        Args:
            network: Of the configuration's stage.
            config: Stage and weights of the loss terms.
            held_out: Validation images with depth in metres; None: the loss picks the best weights.
            alignment: Of a student's features to a frozen encoder's.
        """
        projection = nn.Identity() if alignment is None else alignment.projection
        self.model: nn.Module = Learned(network, projection)
        self._network = network
        self._config = config
        self._held_out = held_out
        self._alignment = alignment

    def terms(self, batch: DepthBatch) -> dict[str, Tensor]:
        """Return the loss terms of a batch; ``loss`` is their weighted sum.

        The method averages its three terms; a sum differs by a factor that AdamW does not see.
        """
        network, config = self._network, self._config
        out = network(network.contract.normalise(batch.images))
        own = slice(0, batch.labelled)
        if config.stage == "metric":
            return {"loss": silog(out.prediction, batch.targets, batch.valid)}
        weight = config.gradient_weight
        measured = affine_invariant(
            out.prediction[own], batch.targets[own], batch.valid[own], weight
        )
        terms = {"labelled": mean_of_counting(*measured)}
        loss = terms["labelled"]
        more = slice(batch.labelled, None)
        if len(batch.cut):
            terms["pseudo"] = cutmix_loss(
                out.prediction[more], batch.targets[more], batch.valid[more], batch.cut, weight
            )
            loss = loss + terms["pseudo"]
        if self._alignment is not None:
            # of the unlabelled images, as in the method; where there are none, of all
            part = more if len(batch.cut) else own
            terms["features"] = self._alignment.loss(out.features[part], batch.images[part])
            loss = loss + config.feature_weight * terms["features"]
        return {"loss": loss, **terms}

    def validate(self, _model: nn.Module) -> dict[str, float]:
        """Return validation scores: AbsRel, which is the score, and delta1, means over images.

        Disparity is first aligned to the truth of each image, scale and shift; metric depth is
        judged as it is.
        """
        if self._held_out is None:
            return {}
        found = []
        device = next(self._network.parameters()).device
        together = min(_BATCH, self._config.batch)
        for start in range(0, len(self._held_out), together):
            rows = range(start, min(start + together, len(self._held_out)))
            frames = np.stack([self._held_out.image(k) for k in rows])
            images = torch.from_numpy(frames).to(device).permute(0, 3, 1, 2)
            out = self._network(self._network.contract.normalise(images))
            for k, prediction in zip(rows, out.prediction.cpu().numpy(), strict=True):
                true = self._held_out.target(k).astype(np.float64)
                if np.isfinite(true).sum() > 1:  # what scale and shift take
                    found.append(self._scores(prediction, true))
        if not found:
            return {}
        absrel, delta = np.mean(found, axis=0)
        return {"score": float(absrel), "absrel": float(absrel), "delta1": float(delta)}

    def _scores(
        self, prediction: NDArray[np.float32], true: NDArray[np.float64]
    ) -> tuple[float, float]:
        known = np.isfinite(true)
        true, said = true[known], prediction[known].astype(np.float64)
        if self._network.quantity == "disparity":
            scale, shift = fit_scale_shift(said, 1.0 / true)
            # the caps of `evaluate`: disparity near zero would be kilometres in a room
            cap = self._config.max_depth_m
            if true.max() < NYU_MAX_DEPTH_M:
                cap = min(cap, NYU_MAX_DEPTH_M)
            depth, _ = depth_of_disparity(scale * said + shift, cap)
            said = depth.astype(np.float64)
        ratio = np.maximum(said / true, true / said)
        return float(np.mean(np.abs(said - true) / true)), float(np.mean(ratio < 1.25))
