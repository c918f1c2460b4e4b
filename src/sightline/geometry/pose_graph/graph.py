"""What a pose graph is made of: priors of frames, relative poses, ratios of their lengths."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sightline.errors import GeometryError
from sightline.geometry.pose import Pose
from sightline.geometry.rotation import Array

Rows = NDArray[np.int64]


def diagonal_covariance(position_sigma: ArrayLike, rotation_sigma: ArrayLike) -> Array:
    """Return (..., 6, 6) covariances, alike in all directions.

    Args:
        position_sigma: (...,) standard deviation of each coordinate.
        rotation_sigma: (...,) standard deviation about each axis, in radians.
    """
    position, rotation = np.broadcast_arrays(
        np.asarray(position_sigma, dtype=np.float64), np.asarray(rotation_sigma, dtype=np.float64)
    )
    sigma = np.stack([position] * 3 + [rotation] * 3, axis=-1)
    covariance: Array = sigma[..., None] ** 2 * np.eye(6)
    return covariance


@dataclass(frozen=True, eq=False)
class PosePriors:
    """What is known of single frames.

    Attributes:
        frames: (M,) which frames; one may have several priors.
        world_from_cam: (M,) poses.
        covariance: (M, 6, 6), or (6, 6) for all: the centre in world axes, then the rotation vector
            in the camera's own axes (radians).
    """

    frames: Rows
    world_from_cam: Pose
    covariance: Array

    def __post_init__(self) -> None:
        frames = _rows(self.frames)
        _check_count(self.world_from_cam, len(frames), "prior pose")
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "covariance", _covariances(self.covariance, len(frames)))

    def __len__(self) -> int:
        return len(self.frames)


@dataclass(frozen=True, eq=False)
class RelativePoses:
    """How frames stand to one another: ``x_b = b_from_a @ x_a``.

    Attributes:
        a: (K,) frames.
        b: (K,) frames.
        b_from_a: (K,) poses.
        covariance: (K, 6, 6), or (6, 6) for all: the translation in b's axes and in the
            translation's own unit, then the rotation vector in a's axes (radians).
        metric: (K,) whether the translation is in the world's unit. Where it is not, its length is
            known up to a factor, which is found; then it must not be zero.
    """

    a: Rows
    b: Rows
    b_from_a: Pose
    covariance: Array
    metric: NDArray[np.bool_]

    def __post_init__(self) -> None:
        a, b = _rows(self.a), _rows(self.b)
        metric = np.broadcast_to(np.asarray(self.metric, dtype=bool), a.shape)
        if a.shape != b.shape or (a == b).any():
            raise GeometryError("two different frames are wanted for each relative pose")
        _check_count(self.b_from_a, len(a), "relative pose")
        if (np.linalg.norm(self.b_from_a.translation[~metric], axis=1) < 1e-12).any():
            raise GeometryError(
                "a translation other than zero is wanted where its length is free; "
                "give a camera that only turned as metric, with the doubt there is"
            )
        object.__setattr__(self, "a", a)
        object.__setattr__(self, "b", b)
        object.__setattr__(self, "metric", metric)
        object.__setattr__(self, "covariance", _covariances(self.covariance, len(a)))

    def __len__(self) -> int:
        return len(self.a)

    @classmethod
    def none(cls) -> RelativePoses:
        """Return an empty set."""
        empty = np.zeros(0, np.int64)
        return cls(empty, empty, Pose.stack([]), np.zeros((0, 6, 6)), np.zeros(0, bool))

    @classmethod
    def union(cls, parts: list[RelativePoses]) -> RelativePoses:
        """Return several sets one behind the other."""
        if not parts:
            return cls.none()
        q = np.concatenate([p.b_from_a.q_wxyz for p in parts])
        t = np.concatenate([p.b_from_a.translation for p in parts])
        return cls(
            np.concatenate([p.a for p in parts]),
            np.concatenate([p.b for p in parts]),
            Pose(q, t),
            np.concatenate([p.covariance for p in parts]),
            np.concatenate([p.metric for p in parts]),
        )


@dataclass(frozen=True, eq=False)
class ScaleRatios:
    """How the free lengths of relative poses compare.

    A relative pose's scale is the world's units in one unit of its translation.

    Attributes:
        first: (L,) rows of :class:`RelativePoses` that are not metric.
        second: (L,) others.
        log_ratio: (L,) ln(scale of the second / scale of the first).
        sigma: (L,) standard deviation of ``log_ratio``.
    """

    first: Rows
    second: Rows
    log_ratio: Array
    sigma: Array

    def __post_init__(self) -> None:
        first, second = _rows(self.first), _rows(self.second)
        ratio = np.asarray(self.log_ratio, dtype=np.float64).reshape(-1)
        sigma = np.broadcast_to(np.asarray(self.sigma, dtype=np.float64), first.shape)
        if first.shape != second.shape or first.shape != ratio.shape:
            raise GeometryError("two rows and a logarithm are wanted for each ratio of scales")
        if not np.isfinite(ratio).all() or not (sigma > 0).all():
            raise GeometryError("finite log ratios and sigmas above 0 are wanted")
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "second", second)
        object.__setattr__(self, "log_ratio", ratio)
        object.__setattr__(self, "sigma", sigma)

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def none(cls) -> ScaleRatios:
        """Return an empty set."""
        empty = np.zeros(0, np.int64)
        return cls(empty, empty, np.zeros(0), np.zeros(0))


@dataclass(frozen=True, eq=False)
class PoseGraph:
    """Frames, what is known of each, and how they stand to one another.

    Attributes:
        frames: How many frames there are.
        priors: Of some or all of them.
        relative: Between some of them.
        ratios: Between the free lengths of relative poses.
    """

    frames: int
    priors: PosePriors
    relative: RelativePoses = field(default_factory=RelativePoses.none)
    ratios: ScaleRatios = field(default_factory=ScaleRatios.none)

    def __post_init__(self) -> None:
        named = np.concatenate([self.priors.frames, self.relative.a, self.relative.b])
        if len(named) and (named.min() < 0 or named.max() >= self.frames):
            raise GeometryError(
                f"frames from 0 to {self.frames - 1} are wanted, {named.min()} to "
                f"{named.max()} came"
            )
        rows = np.concatenate([self.ratios.first, self.ratios.second])
        inside = (rows >= 0) & (rows < len(self.relative))
        if not inside.all() or self.relative.metric[rows].any():
            raise GeometryError("ratios of relative poses whose length is free are wanted")

    def determined(self) -> NDArray[np.bool_]:
        """Return (frames,) whether priors say where a frame is.

        A frame that metric relative poses join to a prior is; one that also takes free lengths
        needs two frames with priors to size them by.
        """
        relative = self.relative
        has_prior = np.zeros(self.frames, dtype=bool)
        has_prior[self.priors.frames] = True
        by_metric = self._priors_in_reach(relative.metric, has_prior)
        by_any = self._priors_in_reach(np.ones(len(relative), bool), has_prior)
        known: NDArray[np.bool_] = (by_metric >= 1) | (by_any >= 2)
        return known

    def _priors_in_reach(self, edges: NDArray[np.bool_], has_prior: NDArray[np.bool_]) -> Rows:
        a, b = self.relative.a[edges], self.relative.b[edges]
        joined = coo_array((np.ones(len(a)), (a, b)), shape=(self.frames, self.frames))
        count, label = connected_components(joined, directed=False)
        return np.bincount(label, weights=has_prior, minlength=count)[label].astype(np.int64)


def _rows(values: ArrayLike) -> Rows:
    return np.asarray(values, dtype=np.int64).reshape(-1)


def _check_count(poses: Pose, count: int, what: str) -> None:
    if poses.shape != (count,):
        raise GeometryError(f"{count} times a {what} is wanted, shape {poses.shape} came")


def _covariances(covariance: ArrayLike, count: int) -> Array:
    given = np.asarray(covariance, dtype=np.float64)
    if given.shape not in ((6, 6), (count, 6, 6)):
        raise GeometryError(f"covariances ({count}, 6, 6) are wanted, {given.shape} came")
    return np.broadcast_to(given, (count, 6, 6))


def whitening(covariance: Array) -> Array:
    """Return (N, 6, 6) W with ``W^T W`` the inverse of each covariance.

    Raises:
        GeometryError: One is not positive definite.
    """
    if not len(covariance):
        return np.zeros((0, 6, 6))
    try:
        whitener: Array = np.linalg.inv(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError as error:
        raise GeometryError(
            "positive definite covariances are wanted; give each direction some doubt"
        ) from error
    return whitener
