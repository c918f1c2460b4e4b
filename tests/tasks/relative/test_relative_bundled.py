"""The network that comes with the package, on rooms that it was not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sightline.records.pairs import PairSet
from sightline.records.views import View, pair_views
from sightline.tasks.relative.baselines import ConstantPredictor
from sightline.tasks.relative.metrics import roe_deg, rte_deg
from sightline.tasks.relative.predict import RelativeModel, need_default_model
from sightline.worlds.rooms import RoomsConfig
from sightline.worlds.rooms.write import write_rooms

pytestmark = pytest.mark.egl

NEW = RoomsConfig(rooms=12, views_per_room=8, pairs_per_room=10, seed=77)


@pytest.fixture(scope="module")
def new_rooms(tmp_path_factory: pytest.TempPathFactory) -> PairSet:
    return write_rooms(tmp_path_factory.mktemp("new") / "rooms", NEW)


@pytest.fixture(scope="module")
def bundled() -> RelativeModel:
    return need_default_model()


def test_it_beats_the_best_constant(new_rooms: PairSet, bundled: RelativeModel) -> None:
    """Half the constant's error on 2,592 pairs; here on 120, so with room for chance."""
    views = [pair_views(new_rooms, pair) for pair in new_rooms.pairs]
    found = bundled.predict(
        [(a.image, b.image) for a, b in views], [(a.camera, b.camera) for a, b in views]
    )
    true = [pair.b_from_a for pair in new_rooms.pairs]
    constant = ConstantPredictor.of(new_rooms).estimate().pose()
    roe = [float(roe_deg(found[i], pose)) for i, pose in enumerate(true)]
    rte = [float(rte_deg(found[i].translation, p.translation)) for i, p in enumerate(true)]
    constant_roe = [float(roe_deg(constant, pose)) for pose in true]
    constant_rte = [float(rte_deg(constant.translation, p.translation)) for p in true]
    assert np.median(roe) < 0.6 * np.median(constant_roe)
    assert np.median(rte) < 0.6 * np.median(constant_rte)


def test_its_confidence_means_something(new_rooms: PairSet, bundled: RelativeModel) -> None:
    assert bundled.weights
    confidences, errors = [], []
    for pair in new_rooms.pairs:
        answer = bundled.relate(*pair_views(new_rooms, pair))
        confidences.append(answer.confidence)
        true = pair.b_from_a
        direction = rte_deg(answer.pose().translation, true.translation)
        errors.append(max(float(roe_deg(answer.pose(), true)), float(direction)))
    order = np.argsort(confidences)
    unsure, sure = (np.median(np.array(errors)[part]) for part in (order[:40], order[-40:]))
    assert sure < 0.7 * unsure
    solved = float(np.mean(np.array(errors) < 10))
    assert abs(np.mean(confidences) - solved) < 0.1


def test_what_shows_nothing_gets_little_confidence(
    bundled: RelativeModel, new_rooms: PairSet
) -> None:
    a, b = pair_views(new_rooms, new_rooms.pairs[0])
    blank = View(np.full_like(b.image, 128), b.camera)
    noise = np.random.default_rng(0).integers(0, 256, b.image.shape, dtype=np.uint8)
    for other in (blank, View(noise, b.camera)):
        assert bundled.relate(a, other).confidence < 0.25
    assert bundled.relate(blank, blank).confidence < 0.25


def test_it_is_small_and_says_nothing_of_where_it_was_made() -> None:
    import sightline.tasks.relative.predict as module

    folder = Path(module.BUNDLED)
    assert sum(p.stat().st_size for p in folder.iterdir()) < 6 * 2**20
    assert "/" not in (folder / "config.toml").read_text()
