"""The winding corridor: what looks alike, what is one place, and that walks stay inside."""

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.worlds.passage import (
    PassageConfig,
    PassageWorld,
    alike_config,
    passage_walk,
    round_config,
)
from sightline.worlds.renderer import MeshRenderer

APART = 1.7


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b.astype(float)).mean())


def test_stretches_go_along_an_axis() -> None:
    with pytest.raises(InputError, match=r"one goes from \(0, 0\) to \(3, 1\)"):
        PassageConfig(((0, 0), (3, 1)))
    with pytest.raises(InputError, match="stretches along x or along y"):
        PassageConfig(((0, 0), (3, 0), (3, 4)), closed=True)


def test_a_walk_stays_between_the_walls_and_turns_slowly() -> None:
    for config in (alike_config(9.0, 5.0, APART), round_config(6.0, 4.0)):
        walk = passage_walk(config, rounds=1.2, step_m=0.3)
        line = np.array(config.line)
        a, b = line[:-1], line[1:]
        share = ((walk.translation[:, None, :2] - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1)
        nearest = a + np.clip(share, 0, 1)[..., None] * (b - a)
        off = np.linalg.norm(walk.translation[:, None, :2] - nearest, axis=-1).min(axis=1)
        assert off.max() < config.width_m / 2 - 0.1
        steps = np.linalg.norm(np.diff(walk.translation, axis=0), axis=1)
        assert 0.0 < steps.min() < steps.max() < 0.35
        assert rotation_angle_deg(walk.q_wxyz[:-1], walk.q_wxyz[1:]).max() < 20.0


def test_a_round_comes_back_to_its_start() -> None:
    walk = passage_walk(round_config(6.0, 4.0), rounds=1.0, step_m=0.3)
    assert np.linalg.norm(walk.translation[-1, :2] - walk.translation[0, :2]) < 0.6
    again = passage_walk(round_config(6.0, 4.0), rounds=1.5, step_m=0.3)
    assert len(again) > 1.4 * len(walk)


@pytest.mark.egl
def test_the_ends_look_alike_and_are_two_places() -> None:
    config = alike_config(9.0, 5.0, APART)
    at = passage_walk(config)[np.array([6])][0]
    assert 0.0 < at.translation[0] < 3.0
    assert abs(at.translation[1]) < 0.5
    twin = Pose(at.q_wxyz, at.translation + np.array([0.0, APART, 0.0]))
    along = Pose(at.q_wxyz, at.translation + np.array([1.5, 0.0, 0.0]))
    beyond = Pose(at.q_wxyz, at.translation + np.array([5.5, 0.0, 0.0]))
    beyond_twin = Pose(at.q_wxyz, beyond.translation + np.array([0.0, APART, 0.0]))
    with MeshRenderer(PassageWorld(config)) as renderer:
        pictures = [
            renderer.render_rgb(p, config.camera) for p in (at, twin, along, beyond, beyond_twin)
        ]
    assert difference(pictures[0], pictures[1]) < 6.0
    assert difference(pictures[0], pictures[2]) > 20.0
    # Behind the alike stretch the two corridors differ.
    assert difference(pictures[3], pictures[4]) > 20.0


@pytest.mark.egl
def test_same_config_same_bytes() -> None:
    config = round_config(6.0, 4.0, seed=3)
    one, two = PassageWorld(config), PassageWorld(config)
    np.testing.assert_array_equal(one.vertices, two.vertices)
    np.testing.assert_array_equal(one.textures, two.textures)
    other = PassageWorld(round_config(6.0, 4.0, seed=4))
    assert (one.vertices[:, 5] != other.vertices[:, 5]).any()
