"""Which frames look alike: VLAD over the place's own SIFT features, nothing downloaded.

Jégou et al. 2010 (VLAD), Arandjelović and Zisserman 2013 (intra-normalisation), Jégou and Chum
2012 (PCA of the local descriptors before aggregation). COLMAP's descriptors are RootSIFT already.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import InputError
from sightline.records.files import atomic_path

Array32 = NDArray[np.float32]

#: COLMAP stores unit RootSIFT descriptors as ``round(512 x)``.
DESCRIPTOR_SCALE = 512.0
WORDS = 64
LOCAL_DIMENSIONS = 64
_LARGEST_SAMPLE = 40_000


@dataclass(frozen=True, eq=False)
class PlaceVocabulary:
    """Visual words of one place.

    Attributes:
        mean: (128,) mean local descriptor.
        basis: (128, E) principal axes, E <= 64.
        words: (W, E) word centres.
    """

    mean: Array32
    basis: Array32
    words: Array32

    @classmethod
    def fit(cls, descriptors: ArrayLike, seed: int = 0, words: int = WORDS) -> PlaceVocabulary:
        """Return the vocabulary of a sample of descriptors; the same seed gives the same words.

        Args:
            descriptors: (N, 128) uint8 SIFT as COLMAP's database holds them.
            seed: Of the k-means start and of the sample.
            words: Number of visual words, fewer where there are few descriptors.

        Raises:
            InputError: No descriptors, or of another length.
        """
        from scipy.cluster.vq import kmeans2

        x = _as_floats(descriptors)
        if len(x) == 0:
            raise InputError("SIFT descriptors are wanted to make a vocabulary; none came")
        rng = np.random.default_rng(seed)
        if len(x) > _LARGEST_SAMPLE:
            x = x[np.sort(rng.choice(len(x), _LARGEST_SAMPLE, replace=False))]
        mean = x.mean(axis=0)
        _, axes = np.linalg.eigh((x - mean).T @ (x - mean))
        basis = axes[:, ::-1][:, :LOCAL_DIMENSIONS].astype(np.float32)
        count = max(1, min(words, len(x) // 4))
        local = (x - mean) @ basis
        centres, _ = kmeans2(local, count, iter=20, minit="points", missing="warn", rng=rng)
        return cls(mean, basis, centres.astype(np.float32))

    @property
    def dimensions(self) -> int:
        """Length of an image's description."""
        return int(self.words.size)

    def describe(self, descriptors: ArrayLike) -> Array32:
        """Return an image's (D,) unit description; zeros for an image without features.

        Args:
            descriptors: (M, 128) uint8 SIFT of one image.
        """
        local = (_as_floats(descriptors) - self.mean) @ self.basis
        # The nearest word: |x - w|^2 without the |x|^2 that all words share.
        distance = (self.words**2).sum(axis=1) - 2.0 * local @ self.words.T
        nearest = distance.argmin(axis=1)
        members = np.zeros((len(local), len(self.words)), dtype=np.float32)
        members[np.arange(len(local)), nearest] = 1.0
        residuals = members.T @ local - members.sum(axis=0)[:, None] * self.words
        residuals = np.sign(residuals) * np.sqrt(np.abs(residuals))
        residuals /= np.linalg.norm(residuals, axis=1, keepdims=True) + 1e-12
        flat = residuals.ravel()
        description: Array32 = (flat / (np.linalg.norm(flat) + 1e-12)).astype(np.float32)
        return description

    def save(self, path: Path) -> None:
        """Write the vocabulary as npz, atomically."""
        with atomic_path(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, mean=self.mean, basis=self.basis, words=self.words)

    @classmethod
    def load(cls, path: Path) -> PlaceVocabulary:
        """Return a saved vocabulary.

        Raises:
            InputError: The file is missing or holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(arrays["mean"], arrays["basis"], arrays["words"])
        except (OSError, KeyError, ValueError) as error:
            raise InputError(f"a vocabulary is wanted in {path}: {error}") from error


def similar(
    queries: ArrayLike, database: ArrayLike, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the ``k`` most similar database images of each query, best first.

    Args:
        queries: (Q, D) descriptions.
        database: (N, D) descriptions.
        k: How many; at most N come back.

    Returns:
        (Q, k) row numbers and (Q, k) cosine similarities.
    """
    scores = np.asarray(queries, np.float32) @ np.asarray(database, np.float32).T
    order = np.argsort(-scores, axis=1, kind="stable")[:, : max(0, k)]
    return order.astype(np.int64), np.take_along_axis(scores, order, axis=1)


def _as_floats(descriptors: ArrayLike) -> Array32:
    x = np.asarray(descriptors)
    if x.ndim != 2 or x.shape[1] != 128:
        raise InputError(f"SIFT descriptors of shape (N, 128) are wanted, {x.shape} came")
    floats: Array32 = x.astype(np.float32) / np.float32(DESCRIPTOR_SCALE)
    return floats
