"""Appearance retrieval from SIFT descriptors alone."""

from pathlib import Path

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.reconstruction.retrieval import PlaceVocabulary, similar


def views(seed: int = 0) -> list[np.ndarray]:
    """Two noisy views of each of six walls, each wall with its own 200 features."""
    rng = np.random.default_rng(seed)
    walls = rng.gamma(0.5, 1.0, (6, 200, 128))
    walls /= np.linalg.norm(walls, axis=-1, keepdims=True)
    pictures = []
    for wall in np.repeat(walls, 2, axis=0):
        seen = wall[rng.permutation(200)[:150]] + rng.normal(0, 0.01, (150, 128))
        pictures.append(np.clip(np.round(512 * seen), 0, 255).astype(np.uint8))
    return pictures


@pytest.fixture(scope="module")
def vocabulary() -> PlaceVocabulary:
    return PlaceVocabulary.fit(np.concatenate(views()), seed=1)


def test_each_view_finds_the_other_view_of_its_wall(vocabulary: PlaceVocabulary) -> None:
    described = np.stack([vocabulary.describe(v) for v in views()])
    assert described.shape == (12, vocabulary.dimensions)
    assert described.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(described, axis=1), 1, atol=1e-5)
    rows, scores = similar(described, described, 2)
    np.testing.assert_array_equal(rows[:, 0], np.arange(12))
    np.testing.assert_array_equal(rows[:, 1], np.arange(12) ^ 1)
    np.testing.assert_allclose(scores[:, 0], 1, atol=1e-5)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_the_order_of_features_does_not_matter(vocabulary: PlaceVocabulary) -> None:
    view = views()[0]
    np.testing.assert_allclose(
        vocabulary.describe(view[::-1]), vocabulary.describe(view), atol=1e-5
    )


def test_the_same_seed_gives_the_same_words() -> None:
    sample = np.concatenate(views())
    one, two = (PlaceVocabulary.fit(sample, seed=3) for _ in range(2))
    np.testing.assert_array_equal(one.words, two.words)
    assert not np.array_equal(one.words, PlaceVocabulary.fit(sample, seed=4).words)


def test_save_and_load(vocabulary: PlaceVocabulary, tmp_path: Path) -> None:
    vocabulary.save(tmp_path / "words.npz")
    loaded = PlaceVocabulary.load(tmp_path / "words.npz")
    view = views()[3]
    np.testing.assert_array_equal(loaded.describe(view), vocabulary.describe(view))
    (tmp_path / "bad.npz").write_bytes(b"no archive")
    with pytest.raises(InputError, match=r"bad\.npz"):
        PlaceVocabulary.load(tmp_path / "bad.npz")
    with pytest.raises(InputError, match=r"none\.npz"):
        PlaceVocabulary.load(tmp_path / "none.npz")


def test_degenerate_input() -> None:
    with pytest.raises(InputError, match="none came"):
        PlaceVocabulary.fit(np.zeros((0, 128), np.uint8))
    with pytest.raises(InputError, match=r"\(4, 64\)"):
        PlaceVocabulary.fit(np.zeros((4, 64), np.uint8))
    few = PlaceVocabulary.fit(views()[0][:3], seed=0)
    assert len(few.words) == 1
    empty = few.describe(np.zeros((0, 128), np.uint8))
    assert empty.shape == (few.dimensions,)
    assert not empty.any()
    assert similar(np.ones((2, 4)), np.ones((3, 4)), 9)[0].shape == (2, 3)
