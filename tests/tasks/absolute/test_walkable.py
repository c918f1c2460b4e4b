import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.records.plan import FloorPlan
from sightline.tasks.absolute.walkable import WalkableMap


def brute_force(mask, cell):
    """The paper's loop: the smallest distance from a cell to any walkable cell."""
    best = np.inf
    for v in range(mask.shape[0]):
        for u in range(mask.shape[1]):
            if mask[v, u]:
                best = min(best, (u - cell[0]) ** 2 + (v - cell[1]) ** 2)
    return np.sqrt(best)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    height=st.integers(1, 14),
    width=st.integers(1, 17),
    share=st.floats(0.01, 1.0),
)
def test_nearest_cells_agree_with_the_double_loop_on_the_map_and_off_it(seed, height, width, share):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < share
    mask[rng.integers(height), rng.integers(width)] = True
    walkable = WalkableMap(mask)
    px = rng.uniform(-25, 40, (20, 2))
    nearest = walkable.nearest_px(px)
    cells = np.floor(px + 0.5)
    assert walkable.is_walkable(nearest).all()
    for point, cell, found in zip(px, cells, nearest, strict=True):
        u, v = np.floor(found + 0.5).astype(int)
        assert mask[v, u]
        assert np.hypot(*(np.array([u, v]) - cell)) == pytest.approx(brute_force(mask, cell))
        if brute_force(mask, cell) == 0:
            np.testing.assert_array_equal(found, point)
        else:
            np.testing.assert_array_equal(found, [u, v])


def test_far_off_the_map_a_corner_of_a_room_wins_over_the_border_below_it():
    # Clamping to the picture first would answer (9, 5): the nearest to the clamped pixel.
    mask = np.zeros((12, 10), dtype=bool)
    mask[5, 9] = mask[0, 6] = True
    walkable = WalkableMap(mask)
    np.testing.assert_array_equal(walkable.nearest_px([[9.0, -40.0]]), [[6.0, 0.0]])
    np.testing.assert_array_equal(walkable.nearest_px([[1e9, 4.0]]), [[9.0, 5.0]])


def test_cells_end_half_a_pixel_from_their_centres():
    mask = np.zeros((3, 4), dtype=bool)
    mask[1, 2] = True
    walkable = WalkableMap(mask)
    inside = [[1.5, 0.5], [2.49, 1.49], [2, 1]]
    outside = [[2.5, 1.0], [1.49, 1.0], [2.0, 1.5], [-0.6, 0.0], [3.5, 1.0], [2.0, 2.6]]
    assert walkable.is_walkable(inside).all()
    assert not walkable.is_walkable(outside).any()
    np.testing.assert_array_equal(walkable.nearest_px(inside), inside)
    np.testing.assert_array_equal(walkable.nearest_px(outside), [[2.0, 1.0]] * 6)
    assert walkable.nearest_px(np.zeros((0, 2))).shape == (0, 2)


def a_plan(tmp_path):
    return FloorPlan(
        tmp_path / "plan.png", None, 40, 30, np.array([[10.0, 0.0, 5.0], [0.0, -10.0, 25.0]])
    )


def test_correct_moves_x_and_y_only_and_only_where_needed(tmp_path):
    plan = a_plan(tmp_path)
    mask = np.zeros((30, 40), dtype=bool)
    mask[10:20, 10:30] = True
    rng = np.random.default_rng(0)
    poses = Pose(rng.normal(size=(200, 4)), rng.uniform(-2, 6, (200, 3)))
    walkable = WalkableMap(mask, plan)
    corrected = walkable.correct(poses)
    np.testing.assert_allclose(corrected.q_wxyz, poses.q_wxyz, atol=1e-15)
    np.testing.assert_array_equal(corrected.translation[:, 2], poses.translation[:, 2])
    was = walkable.is_walkable(plan.to_px(poses.translation))
    assert 0 < was.sum() < 200
    np.testing.assert_array_equal(corrected.translation[was], poses.translation[was])
    assert walkable.is_walkable(plan.to_px(corrected.translation)).all()
    one = walkable.correct(poses[3], plan)
    assert one.shape == ()
    np.testing.assert_array_equal(one.translation, corrected.translation[3])
    # Once on the floor, nothing moves again.
    again = walkable.correct(corrected)
    np.testing.assert_array_equal(again.translation, corrected.translation)


def test_a_plan_without_a_mask_is_walkable_all_over(tmp_path):
    plan = a_plan(tmp_path)
    walkable = WalkableMap.of_plan(plan)
    px = plan.to_px(walkable.correct(Pose(np.eye(4)[0], np.array([90.0, 1.0, 1.5]))).translation)
    np.testing.assert_allclose(px, [39.0, 15.0])


def test_memory_is_five_bytes_a_cell():
    assert WalkableMap(np.ones((100, 200), dtype=bool)).nbytes == 5 * 100 * 200


def test_bad_input_raises(tmp_path):
    with pytest.raises(InputError, match="walkable"):
        WalkableMap(np.zeros((4, 4), dtype=bool))
    with pytest.raises(InputError, match="shape"):
        WalkableMap(np.ones(4, dtype=bool))
    good = WalkableMap(np.ones((4, 4), dtype=bool))
    with pytest.raises(InputError, match="finite"):
        good.nearest_px([[np.nan, 1.0]])
    with pytest.raises(InputError, match="shape"):
        good.nearest_px([1.0, 2.0])
    with pytest.raises(InputError, match="floor plan"):
        good.correct(Pose.identity())
