"""What a pose network's numbers mean: a rotation, a distribution over them, or a choice of views.

Networks learn turns (:func:`sightline.geometry.viewpoint.turn_from_front`). A head turns raw
numbers into a vector of its own space, in which weighted fusion (Eq. 1) adds, and that into a
rotation. All is computed in the vectors' own precision but the matrix Fisher likelihood (float64).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import numpy as np
import roma
import torch
from torch import Tensor

from sightline.geometry.viewpoint import cam_from_object, turn_from_front
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.fisher import expected_angle, fisher_loss, proper_svd
from sightline.tasks.objects.rotations import exponential_map, geodesic

#: Axis-angle vectors end this little below pi, so that they stay inside in float32 too.
_BELOW_PI = math.pi * (1.0 - 1e-6)
#: Concentrations (singular values of the matrix Fisher parameter) stay below this.
_SHARPEST = 2e4


class Head(ABC):
    """Raw numbers to rotations.

    Attributes:
        size: How many raw numbers there are, and how long the vector is.
    """

    size: int

    @abstractmethod
    def vector(self, raw: Tensor) -> Tensor:
        """Return (..., size) vectors of (..., size) raw numbers."""

    @abstractmethod
    def rotation(self, vector: Tensor) -> Tensor:
        """Return (..., 3, 3) rotations of (..., size) vectors."""

    def loss(self, vector: Tensor, true: Tensor) -> Tensor:
        """Return (...,) losses: the angle to the true rotation in radians (Eq. 3).

        Args:
            vector: (..., size).
            true: (..., 3, 3).
        """
        return geodesic(self.rotation(vector), true)

    @abstractmethod
    def concentration(self, vector: Tensor) -> Tensor:
        """Return (...,) a number that grows with certainty; 0 where the head knows of none."""

    def spread_deg(self, vector: Tensor) -> Tensor:
        """Return (...,) the error the head expects, in degrees; NaN where it knows of none."""
        return torch.full_like(vector[..., 0], math.nan)

    def start(self) -> tuple[Tensor, float]:
        """Return (size,) raw numbers to begin with, and the scale of the last layer's weights."""
        return torch.zeros(self.size), 0.1


class AxisAngleHead(Head):
    """A vector in the ball of radius pi: the axis, as long as the angle (the paper's).

    Source: Mahendran et al. 2018, Sec. 3.1; pi tanh as in Mahendran et al. 2017, of the length, so
    that the whole ball is reached and directions stay.
    """

    size = 3

    def vector(self, raw: Tensor) -> Tensor:
        """Return (..., 3) vectors shorter than pi."""
        return into_ball(raw)

    def rotation(self, vector: Tensor) -> Tensor:
        """Return (..., 3, 3) by the exponential map."""
        return exponential_map(vector)

    def concentration(self, vector: Tensor) -> Tensor:
        """Return zeros: the length of an axis-angle vector is its angle."""
        return torch.zeros_like(vector[..., 0])


class SixDHead(Head):
    """Two columns, made orthonormal.

    Source: Zhou et al. 2019, On the Continuity of Rotation Representations.
    """

    size = 6

    def vector(self, raw: Tensor) -> Tensor:
        """Return the raw numbers."""
        return raw

    def rotation(self, vector: Tensor) -> Tensor:
        """Return (..., 3, 3) by Gram-Schmidt."""
        columns = _split(vector, 2, 3).mT
        matrix: Tensor = roma.special_gramschmidt(columns, epsilon=1e-8)
        return matrix

    def concentration(self, vector: Tensor) -> Tensor:
        """Return the vectors' lengths: fusion of disagreeing answers shortens them."""
        length: Tensor = torch.linalg.vector_norm(vector, dim=-1)
        return length

    def start(self) -> tuple[Tensor, float]:
        """Begin with no turn."""
        return torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]), 0.1


class FisherHead(Head):
    """The parameter F of a matrix Fisher distribution, p(R) = exp(tr(F' R)) / c(F).

    Source: Mohlin et al. 2020, Probabilistic Orientation Estimation with Matrix Fisher
    Distributions.
    """

    size = 9

    def vector(self, raw: Tensor) -> Tensor:
        """Return (..., 9) F, row by row, of bounded length."""
        length: Tensor = torch.linalg.vector_norm(raw, dim=-1, keepdim=True)
        return raw / (1.0 + length / _SHARPEST)

    def rotation(self, vector: Tensor) -> Tensor:
        """Return (..., 3, 3) the modes."""
        matrix: Tensor = roma.special_procrustes(_split(vector, 3, 3))
        return matrix

    def loss(self, vector: Tensor, true: Tensor) -> Tensor:
        """Return (...,) negative log-likelihoods, over rotations of total measure 1."""
        return fisher_loss(_split(vector, 3, 3), true).to(vector.dtype)

    def concentration(self, vector: Tensor) -> Tensor:
        """Return how sharp the distribution is about the axis of which it is least certain."""
        _, s, _ = proper_svd(_split(vector.detach(), 3, 3))
        least: Tensor = s[..., 1] + s[..., 2]
        return least

    def spread_deg(self, vector: Tensor) -> Tensor:
        """Return (...,) the expected angles to the mode, in degrees."""
        _, s, _ = proper_svd(_split(vector.detach(), 3, 3).double())
        return torch.rad2deg(expected_angle(s)).to(vector.dtype)

    def start(self) -> tuple[Tensor, float]:
        """Begin with every turn as likely."""
        return torch.zeros(9), 0.3


class BinsHead(Head):
    """Some views and, of each, a log-probability and the rest of the turn (an axis-angle vector).

    The views are upright and spread evenly over the sphere. The loss is the cross-entropy of the
    nearest view and the angle that is left after its residual.

    Source: Mousavian et al. 2017 (MultiBin), on whole rotations.
    """

    def __init__(self, bins: int) -> None:
        self.bins = bins
        self.size = 4 * bins
        self.views = upright_views(bins)

    def vector(self, raw: Tensor) -> Tensor:
        """Return (..., 4 bins): log-probabilities, then residuals inside the ball."""
        logits, residuals = raw[..., : self.bins], raw[..., self.bins :]
        inside = into_ball(_split(residuals, self.bins, 3)).flatten(-2)
        return torch.cat([logits.log_softmax(dim=-1), inside], dim=-1)

    def rotation(self, vector: Tensor) -> Tensor:
        """Return (..., 3, 3) of the likeliest view."""
        return self._of_bin(vector, vector[..., : self.bins].argmax(dim=-1))

    def loss(self, vector: Tensor, true: Tensor) -> Tensor:
        """Return (...,) cross-entropies plus angles in radians."""
        # the trace is the cosine of the angle but for a factor: the largest is the nearest
        nearest = torch.einsum("bij,...ij->...b", self._views(vector), true).argmax(dim=-1)
        # fused log-probabilities do not sum to 1
        logs = vector[..., : self.bins].log_softmax(dim=-1)
        entropy = -logs.gather(-1, nearest[..., None])[..., 0]
        return entropy + geodesic(self._of_bin(vector, nearest), true)

    def concentration(self, vector: Tensor) -> Tensor:
        """Return the probability of the likeliest view."""
        return vector[..., : self.bins].softmax(dim=-1).amax(dim=-1)

    def _of_bin(self, vector: Tensor, chosen: Tensor) -> Tensor:
        residuals = _split(vector[..., self.bins :], self.bins, 3)
        index = chosen[..., None, None].expand(*chosen.shape, 1, 3)
        residual = residuals.gather(-2, index)[..., 0, :]
        return exponential_map(residual) @ self._views(vector)[chosen]

    def _views(self, like: Tensor) -> Tensor:
        if self.views.device != like.device or self.views.dtype != like.dtype:
            return self.views.to(like)
        return self.views


def create_head(config: ObjectsConfig) -> Head:
    """Return the head of a configuration."""
    if config.head == "bins":
        return BinsHead(config.bins)
    kinds: dict[str, type[Head]] = {
        "axis_angle": AxisAngleHead,
        "sixd": SixDHead,
        "fisher": FisherHead,
    }
    return kinds[config.head]()


def into_ball(raw: Tensor) -> Tensor:
    """Return (..., 3) vectors of the same directions, of length pi tanh(length / pi)."""
    squared = raw.square().sum(dim=-1, keepdim=True) / math.pi**2
    small = squared < 1e-6
    t = torch.where(small, 1.0, squared).sqrt()
    scale = torch.where(small, 1.0 - squared / 3.0, torch.tanh(t) / t)
    return raw * (scale * (_BELOW_PI / math.pi))


def _split(vector: Tensor, rows: int, columns: int) -> Tensor:
    return vector.reshape(*vector.shape[:-1], rows, columns)


def upright_views(count: int) -> Tensor:
    """Return (count, 3, 3) turns: level cameras spread over the sphere (a Fibonacci lattice)."""
    index = np.arange(count)
    azimuth = (2.0 * np.pi * index / ((1.0 + 5.0**0.5) / 2.0)) % (2.0 * np.pi)
    elevation = np.arcsin(1.0 - (2.0 * index + 1.0) / count)
    wxyz = torch.from_numpy(turn_from_front(cam_from_object(azimuth, elevation, 0.0)))
    matrix: Tensor = roma.unitquat_to_rotmat(wxyz[:, [1, 2, 3, 0]])
    return matrix.float()
