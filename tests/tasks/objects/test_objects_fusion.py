import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from sightline.tasks.objects.config import scratch_config
from sightline.tasks.objects.fusion import (
    chordal_mean,
    chosen,
    fuse,
    fused_rotation,
    ranked_rotations,
)
from sightline.tasks.objects.heads import Head, create_head
from sightline.tasks.objects.rotations import exponential_map, geodesic

HEADS = ("axis_angle", "sixd", "fisher", "bins")
RULES = ("weighted", "top1", "oracle", "chordal")
LIKELY = torch.tensor([[0.2, 0.7, 0.1], [0.5, 0.1, 0.4]])


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def head(name: str) -> Head:
    return create_head(replace(scratch_config(), head=name, bins=6))


def answers(one: Head, count: int = 2, networks: int = 3) -> torch.Tensor:
    return one.vector(torch.randn(count, networks, one.size))


@pytest.mark.parametrize("name", HEADS)
def test_weighted_fusion_is_equation_1(name):
    y = answers(head(name))
    expected = sum(LIKELY[:, i, None] * y[:, i] for i in range(3))
    torch.testing.assert_close(fuse(head(name), y, LIKELY, "weighted"), expected)


@pytest.mark.parametrize("name", HEADS)
def test_top1_fusion_is_equation_2(name):
    y = answers(head(name))
    expected = torch.stack([y[0, 1], y[1, 0]])
    assert torch.equal(fuse(head(name), y, LIKELY, "top1"), expected)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", HEADS)
def test_a_sure_category_gives_its_own_pose_whatever_the_rule(name, rule):
    # the paper's first property of Eq. 1
    one = head(name)
    y = answers(one)
    sure = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    expected = one.rotation(chosen(y, torch.tensor([2, 1])))
    found = fused_rotation(one, y, sure, rule)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", HEADS)
def test_one_network_for_all_is_taken_as_it_is(name, rule):
    one = head(name)
    y = answers(one, networks=1)
    assert torch.equal(fused_rotation(one, y, LIKELY, rule), one.rotation(y[:, 0]))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", HEADS)
def test_every_rule_gives_rotations(name, rule):
    rotation = fused_rotation(head(name), answers(head(name)), LIKELY, rule)
    torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(2))


def test_weighted_fusion_of_axis_angles_stays_inside_the_ball():
    # the paper's second property of Eq. 1: the ball is convex
    y = head("axis_angle").vector(50 * torch.randn(500, 3, 3))
    likely = torch.rand(500, 3).softmax(dim=1)
    assert (fuse(head("axis_angle"), y, likely, "weighted").norm(dim=1) < math.pi).all()


def test_ten_degrees_apart_across_pi_only_the_chordal_mean_is_right():
    # turns by 175 and by 185 = -175 degrees about one axis: PITFALLS 6
    axis = torch.tensor([0.6, 0.0, 0.8])
    y = torch.stack([math.radians(175) * axis, math.radians(-175) * axis])[None]
    half = torch.tensor([[0.5, 0.5]])
    one = head("axis_angle")
    rotations = one.rotation(y)[0]
    assert torch.rad2deg(geodesic(rotations[0], rotations[1])).item() == pytest.approx(10, abs=0.01)
    middle = exponential_map(math.pi * axis)
    weighted = fused_rotation(one, y, half, "weighted")[0]
    chordal = fused_rotation(one, y, half, "chordal")[0]
    assert torch.rad2deg(geodesic(weighted, middle)) > 179  # it is no rotation at all: garbage
    assert torch.rad2deg(geodesic(chordal, middle)) < 0.05
    # away from pi the two agree
    near = torch.stack([math.radians(40) * axis, math.radians(50) * axis])[None]
    both = [fused_rotation(one, near, half, rule)[0] for rule in ("weighted", "chordal")]
    torch.testing.assert_close(both[0], both[1], atol=1e-5, rtol=0)


def test_the_chordal_mean_is_scipys():
    rng = np.random.default_rng(0)
    for _ in range(20):
        rotations = Rotation.random(5, rng=rng)
        weights = rng.uniform(0.05, 1, 5)
        matrices = torch.from_numpy(rotations.as_matrix())[None]
        found = chordal_mean(matrices, torch.from_numpy(weights)[None])[0]
        expected = rotations.mean(weights=weights).as_matrix()
        assert np.allclose(found, expected, atol=1e-7)


def test_ranked_rotations_are_those_of_the_likeliest_categories():
    one = head("axis_angle")
    y = answers(one)
    found = ranked_rotations(one, y, LIKELY, 3)
    order = torch.tensor([[1, 0, 2], [0, 2, 1]])
    expected = one.rotation(torch.stack([y[i][order[i]] for i in range(2)]))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ranked_rotations(one, y, LIKELY, 1), expected[:, :1])
    shared = ranked_rotations(one, y[:, :1], LIKELY, 2)
    assert torch.equal(shared, one.rotation(y[:, :1]).expand(2, 2, 3, 3))


def test_weighted_fusion_of_distributions_believes_the_surer():
    # the concentrations count beside the probabilities: what a sum of parameters means
    one = head("fisher")
    a, b = exponential_map(torch.tensor([[0.0, 0, 0], [1.0, 0, 0]]))
    y = torch.stack([100 * a, b]).flatten(1)[None]
    found = fused_rotation(one, y, torch.tensor([[0.5, 0.5]]), "weighted")[0]
    assert torch.rad2deg(geodesic(found, a)) < 1
