"""Matching, against double loops."""

import numpy as np
import pytest

from sightline.reconstruction.two_view.features import Keypoints
from sightline.reconstruction.two_view.matching import (
    grid_coverage,
    guided_match,
    match,
    mutual_ratio_matches,
)


def unit(rng: np.random.Generator, count: int) -> np.ndarray:
    x = np.abs(rng.normal(size=(count, 128))).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def matches_by_loops(query: np.ndarray, other: np.ndarray, ratio: float) -> list[tuple[int, int]]:
    found = []
    for i, q in enumerate(query):
        distances = [float(np.linalg.norm(q.astype(float) - o)) for o in other]
        order = np.argsort(distances)
        j = int(order[0])
        back = [float(np.linalg.norm(p.astype(float) - other[j])) for p in query]
        if distances[j] < ratio * distances[order[1]] and int(np.argmin(back)) == i:
            found.append((i, j))
    return found


@pytest.mark.parametrize("ratio", [0.7, 0.9])
@pytest.mark.parametrize("counts", [(40, 60), (60, 2), (1, 5)])
def test_matches_are_those_of_a_double_loop(counts: tuple[int, int], ratio: float) -> None:
    rng = np.random.default_rng(4)
    query, other = unit(rng, counts[0]), unit(rng, counts[1])
    # Noisy copies, so that there is something to find; two of the queries want the same one.
    shared = min(counts[1], counts[0], 20)
    query[:shared] = other[:shared] + rng.normal(0, 0.03, (shared, 128))
    query[-1] = other[0] + rng.normal(0, 0.02, 128)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    before = query.copy()
    i, j = mutual_ratio_matches(query, other, ratio)
    wanted = matches_by_loops(query, other, ratio)
    assert len(wanted) > 0
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == wanted
    np.testing.assert_array_equal(query, before)


def test_many_rows_are_matched_as_few_are() -> None:
    # More rows than are held at once.
    rng = np.random.default_rng(0)
    other = unit(rng, 5000)
    query = other[rng.permutation(5000)] + rng.normal(0, 0.01, (5000, 128)).astype(np.float32)
    query /= np.linalg.norm(query, axis=1, keepdims=True)
    i, j = mutual_ratio_matches(query, other, 0.8)
    wanted = (query @ other.T).argmax(axis=1)
    assert len(i) > 4900
    np.testing.assert_array_equal(j, wanted[i])


def binary(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 256, (count, 32), dtype=np.uint8)


def hamming(a: np.ndarray, b: np.ndarray) -> int:
    return int(np.unpackbits(a ^ b).sum())


@pytest.mark.parametrize("mutual", [True, False])
def test_binary_matches_are_those_of_a_double_loop(mutual: bool) -> None:
    rng = np.random.default_rng(1)
    query, other = binary(rng, 30), binary(rng, 40)
    query[:20] = other[:20] ^ (rng.random((20, 32)) < 0.1)
    query[20] = other[0] ^ (rng.random(32) < 0.2)  # wants what another has
    wanted = []
    for i, q in enumerate(query):
        distances = [hamming(q, o) for o in other]
        first, second = sorted(distances)[:2]
        j = distances.index(first)
        back = [hamming(p, other[j]) for p in query]
        if first < 0.8 * second and (not mutual or back.index(min(back)) == i):
            wanted.append((i, j))
    a, b = (Keypoints(np.zeros((len(d), 2)), d, 1.0) for d in (query, other))
    i, j = match(a, b, 0.8, mutual=mutual)
    assert len(wanted) >= 20
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == wanted


def test_nothing_matches_nothing() -> None:
    rng = np.random.default_rng(2)
    empty = Keypoints(np.zeros((0, 2)), np.zeros((0, 1), np.float32), 1.0)
    some = Keypoints(np.zeros((9, 2)), unit(rng, 9), 1.0)
    one = Keypoints(np.zeros((1, 2)), unit(rng, 1), 1.0)
    for a, b in ((empty, some), (some, empty), (empty, empty), (some, one)):
        assert len(match(a, b)[0]) == 0
    assert len(guided_match(empty, some, lambda rows: np.zeros((0, 9)), 1.0)[0]) == 0


@pytest.mark.parametrize("kind", ["float", "binary"])
def test_a_band_makes_repeated_patterns_tell_apart(kind: str) -> None:
    rng = np.random.default_rng(3)
    first = unit(rng, 50) if kind == "float" else binary(rng, 50)
    twice = np.concatenate([first, first])  # every pattern is there a second time
    if kind == "float":
        first = first + rng.normal(0, 0.03, first.shape).astype(np.float32)
        first /= np.linalg.norm(first, axis=1, keepdims=True)
    a = Keypoints(np.zeros((50, 2)), first, 1.0)
    b = Keypoints(np.zeros((100, 2)), twice, 1.0)
    assert len(match(a, b, 0.9)[0]) == 0
    # Column j lies at j mod 7 from row i's line, but for the right one of the two, which is on it.
    away = np.add.outer(np.arange(50), np.arange(100)) % 7 + 2.0
    away[np.arange(50), np.arange(50) + 50] = 0.5
    i, j = guided_match(a, b, lambda rows: away[rows], 1.0)
    np.testing.assert_array_equal(i, np.arange(50))
    np.testing.assert_array_equal(j, np.arange(50) + 50)


def test_a_guided_match_has_to_look_alike() -> None:
    a = Keypoints(np.zeros((1, 2)), np.eye(128, dtype=np.float32)[:1], 1.0)
    b = Keypoints(np.zeros((1, 2)), np.eye(128, dtype=np.float32)[1:2], 1.0)
    assert len(guided_match(a, b, lambda rows: np.zeros((1, 1)), 1.0)[0]) == 0
    assert len(guided_match(a, a, lambda rows: np.zeros((1, 1)), 1.0)[0]) == 1


def test_coverage_counts_cells() -> None:
    assert grid_coverage(np.zeros((0, 2)), (80, 40)) == 0.0
    assert grid_coverage(np.array([[-0.5, -0.5], [1, 1], [79.4, 39.4]]), (80, 40)) == 2 / 64
    u, v = np.meshgrid(np.arange(80), np.arange(40))
    assert grid_coverage(np.stack([u.ravel(), v.ravel()], 1), (80, 40)) == 1.0
