"""Pose graphs against exact truth, numeric derivatives and closed forms."""

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from sightline.errors import GeometryError, InputError
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.pose_graph import (
    PoseGraph,
    PoseGraphOptions,
    PosePriors,
    RelativePoses,
    ScaleRatios,
    diagonal_covariance,
    solve_pose_graph,
)
from sightline.geometry.pose_graph.graph import whitening
from sightline.geometry.pose_graph.normal import ABSENT, NormalEquations
from sightline.geometry.pose_graph.robust import LOSSES, robust_loss
from sightline.geometry.pose_graph.terms import (
    State,
    inverse_right_jacobian,
    prior_terms,
    ratio_terms,
    relative_terms,
)
from sightline.geometry.rotation import rotation_angle

SQUARED = PoseGraphOptions("squared", "squared")
TIGHT = diagonal_covariance(0.01, 0.005)


def walk(count: int, seed: int = 0) -> Pose:
    """A walk round a bend, looking about, the turns up to 180 degrees from the first."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, count)
    centres = np.stack([8 * np.cos(3 * t), 5 * np.sin(4 * t), 1.5 + 0.1 * np.sin(9 * t)], axis=1)
    turn = Rotation.from_euler("z", 200 * t[:, None], degrees=True) * Rotation.from_rotvec(
        0.1 * rng.standard_normal((count, 3))
    )
    return Pose.from_rotation(turn * Rotation.from_euler("x", -90, degrees=True), centres)


def disturbed(poses: Pose, position: float, angle: float, seed: int = 1) -> Pose:
    rng = np.random.default_rng(seed)
    turn = Rotation.from_rotvec(angle * rng.standard_normal((len(poses), 3)))
    return Pose.from_rotation(
        poses.rotation * turn, poses.translation + position * rng.standard_normal((len(poses), 3))
    )


def pairs(poses: Pose, reach: int = 2, *, metric: bool = True, lengths=None) -> RelativePoses:
    """Exact relative poses of frames up to ``reach`` apart; free ones of the lengths given."""
    count = len(poses)
    a = np.concatenate([np.arange(count - k) for k in range(1, reach + 1)])
    b = np.concatenate([np.arange(k, count) for k in range(1, reach + 1)])
    b_from_a = relative_pose(poses[b], poses[a])
    if not metric:
        length = np.linalg.norm(b_from_a.translation, axis=1, keepdims=True)
        scaled = b_from_a.translation / length * (1.0 if lengths is None else lengths[:, None])
        b_from_a = Pose(b_from_a.q_wxyz, scaled)
    return RelativePoses(a, b, b_from_a, TIGHT, np.full(len(a), metric))


def priors(poses: Pose, rows=None, sigma: float = 0.5, angle: float = 0.2) -> PosePriors:
    rows = np.arange(len(poses)) if rows is None else np.asarray(rows)
    return PosePriors(rows, poses[rows], diagonal_covariance(sigma, angle))


def errors(found: Pose, true: Pose) -> tuple[np.ndarray, np.ndarray]:
    off = np.linalg.norm(found.translation - true.translation, axis=1)
    return off, rotation_angle(found.q_wxyz, true.q_wxyz)


# --- derivatives ----------------------------------------------------------------------------------


def state_of(poses: Pose, scales: np.ndarray) -> State:
    return State(poses.rotation_matrix, poses.translation, scales)


def numeric(function, state: State, frame: int | None, scale: int | None) -> np.ndarray:
    """Return (rows, 6 or 1) central differences of a term by one frame's step or one scale."""
    columns, h = [], 1e-6
    for k in range(6 if frame is not None else 1):
        moved = []
        for sign in (1, -1):
            step, log = np.zeros((len(state.centre), 6)), np.zeros(len(state.log_scale))
            if frame is not None:
                step[frame, k] = sign * h
            else:
                log[scale] = sign * h
            moved.append(function(state.moved(step, log))[0])
        columns.append((moved[0] - moved[1]) / (2 * h))
    return np.stack(columns, axis=-1)


def test_derivatives_of_priors() -> None:
    true = walk(3)
    state = state_of(disturbed(true, 0.7, 0.9), np.zeros(0))
    given, whitener = priors(true), random_whiteners(3)
    analytic = prior_terms(state, given, whitener)[1]
    for frame in range(3):
        expected = numeric(lambda s: prior_terms(s, given, whitener), state, frame, None)
        np.testing.assert_allclose(analytic[frame], expected[frame], atol=1e-7)


@pytest.mark.parametrize("metric", [True, False])
def test_derivatives_of_relative_poses(metric: bool) -> None:
    true = walk(4)
    given = pairs(true, 2, metric=metric)
    scales = np.zeros(5) if metric else np.linspace(-0.5, 0.8, 5)
    state, whitener = state_of(disturbed(true, 0.5, 0.8), scales), random_whiteners(5)

    def terms(s: State) -> tuple[np.ndarray, np.ndarray]:
        return relative_terms(s, given, whitener)

    analytic = terms(state)[1]
    for row, (a, b) in enumerate(zip(given.a, given.b, strict=True)):
        by_a = numeric(terms, state, a, None)[row]
        by_b = numeric(terms, state, b, None)[row]
        np.testing.assert_allclose(analytic[row, :, 0:6], by_a, atol=1e-7)
        np.testing.assert_allclose(analytic[row, :, 6:12], by_b, atol=1e-7)
        by_scale = numeric(terms, state, None, row)[row, :, 0]
        expected = np.zeros(6) if metric else by_scale
        np.testing.assert_allclose(analytic[row, :, 12], expected, atol=1e-7)


def test_derivatives_of_ratios() -> None:
    state = state_of(walk(2), np.array([0.3, -0.2, 0.9]))
    given = ScaleRatios(np.array([0, 1]), np.array([1, 2]), np.array([0.1, 0.2]), np.array([1, 2]))
    residual, jacobian = ratio_terms(state, given)
    np.testing.assert_allclose(residual[:, 0], [(-0.5 - 0.1) / 1, (1.1 - 0.2) / 2])
    np.testing.assert_allclose(jacobian[:, 0], [[-1, 1], [-0.5, 0.5]])


def random_whiteners(count: int) -> np.ndarray:
    return np.eye(6) + 0.3 * np.random.default_rng(5).standard_normal((count, 6, 6))


@pytest.mark.parametrize("angle", [0.0, 1e-6, 9e-4, 1.1e-3, 1.0, 3.14])
def test_inverse_right_jacobian(angle: float) -> None:
    axis = np.array([0.36, -0.48, 0.8])
    rotvec, h = angle * axis, 1e-6
    columns = []
    for step in h * np.eye(3):
        there, back = (
            (Rotation.from_rotvec(rotvec) * Rotation.from_rotvec(s)).as_rotvec()
            for s in (step, -step)
        )
        columns.append((there - back) / (2 * h))
    found = inverse_right_jacobian(rotvec[None])[0]
    np.testing.assert_allclose(found, np.stack(columns, axis=1), atol=2e-9 if angle < 3 else 1e-6)


# --- solutions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [SQUARED, PoseGraphOptions()])
def test_exact_terms_give_the_truth(options: PoseGraphOptions) -> None:
    true = walk(40)
    found = solve_pose_graph(PoseGraph(40, priors(true, [0, 13, 30]), pairs(true)), options)
    off, turned = errors(found.world_from_cam, true)
    assert off.max() < 1e-9
    assert turned.max() < 1e-9
    assert found.determined.all()
    assert found.cost < 1e-12


@pytest.mark.parametrize("metric", [True, False])
def test_the_solution_is_that_of_a_general_solver(metric: bool) -> None:
    """SciPy's dense Levenberg-Marquardt on the same residuals, from the truth."""
    true = walk(5)
    graph = PoseGraph(
        5,
        priors(disturbed(true, 0.4, 0.3, 3), None, 0.4, 0.3),
        pairs(disturbed(true, 0.1, 0.1, 4), 2, metric=metric),
    )
    whiteners = [whitening(c) for c in (graph.priors.covariance, graph.relative.covariance)]
    start = state_of(true, np.zeros(7))

    def moved(x: np.ndarray) -> State:
        return start.moved(x[:30].reshape(5, 6), 0.0 if metric else x[30:])

    def residuals(x: np.ndarray) -> np.ndarray:
        state = moved(x)
        return np.concatenate(
            [
                prior_terms(state, graph.priors, whiteners[0])[0].ravel(),
                relative_terms(state, graph.relative, whiteners[1])[0].ravel(),
            ]
        )

    reference = least_squares(residuals, np.zeros(37), method="lm", xtol=1e-12, ftol=1e-12)
    found = solve_pose_graph(graph, SQUARED)
    off, turned = errors(found.world_from_cam, moved(reference.x).poses)
    assert max(off.max(), turned.max()) < 1e-5
    assert found.cost == pytest.approx(2 * reference.cost, rel=1e-6)


def test_free_lengths_are_found() -> None:
    true = walk(40)
    rng = np.random.default_rng(2)
    relative = pairs(true, 2, metric=False, lengths=rng.uniform(0.5, 3.0, 77))
    found = solve_pose_graph(PoseGraph(40, priors(true), relative), SQUARED)
    off, turned = errors(found.world_from_cam, true)
    assert max(off.max(), turned.max()) < 1e-9
    apart = np.linalg.norm(
        true.translation[relative.a] - true.translation[relative.b], axis=1
    ) / np.linalg.norm(relative.b_from_a.translation, axis=1)
    np.testing.assert_allclose(found.scales, apart, rtol=1e-7)


def test_ratios_carry_one_length_through_a_video() -> None:
    """Directions along a straight line say nothing of lengths; ratios and two ends do."""
    count = 30
    steps = np.random.default_rng(3).uniform(0.2, 1.0, count - 1)
    centres = np.zeros((count, 3))
    centres[1:, 0] = np.cumsum(steps)
    true = Pose(np.tile([1.0, 0, 0, 0], (count, 1)), centres)
    relative = pairs(true, 1, metric=False)
    rows = np.arange(count - 2)
    ratios = ScaleRatios(rows, rows + 1, np.log(steps[1:] / steps[:-1]), 0.01)
    ends = priors(true, [0, count - 1], 0.01, 0.01)
    with_ratios = solve_pose_graph(PoseGraph(count, ends, relative, ratios), SQUARED)
    assert errors(with_ratios.world_from_cam, true)[0].max() < 1e-8
    without = solve_pose_graph(PoseGraph(count, ends, relative), SQUARED)
    assert errors(without.world_from_cam, true)[0].max() > 0.3


def test_noisy_priors_average_along_exact_relative_poses() -> None:
    """A rigid trajectory takes the mean of its priors: errors fall with the root of their number.

    The mean over 40 trajectories of the squared error is 3 sigma^2 / N for centres whose rotations
    are known.
    """
    true = walk(25)
    exact = pairs(true, 1)
    rigid = RelativePoses(
        exact.a, exact.b, exact.b_from_a, diagonal_covariance(1e-6, 1e-6), exact.metric
    )
    squares = []
    for seed in range(40):
        noisy = disturbed(true, 0.5, 0.0, seed)
        given = PosePriors(np.arange(25), noisy, diagonal_covariance(0.5, 1e-5))
        found = solve_pose_graph(PoseGraph(25, given, rigid), SQUARED)
        squares.append(np.mean(errors(found.world_from_cam, true)[0] ** 2))
    assert np.mean(squares) == pytest.approx(3 * 0.5**2 / 25, rel=0.4)


def test_two_priors_of_one_frame_are_weighed_by_their_covariances() -> None:
    """The mean weighted by the inverse covariances, in full (not only their diagonals)."""
    rng = np.random.default_rng(4)
    full = []
    for _ in range(2):
        root = rng.standard_normal((3, 3))
        covariance = np.eye(6)
        covariance[:3, :3] = root @ root.T + 0.1 * np.eye(3)
        full.append(covariance)
    centres = rng.standard_normal((2, 3))
    poses = Pose(np.tile([1.0, 0, 0, 0], (2, 1)), centres)
    given = PosePriors(np.array([0, 0]), poses, np.stack(full))
    found = solve_pose_graph(PoseGraph(1, given), SQUARED)
    weights = [np.linalg.inv(c[:3, :3]) for c in full]
    expected = np.linalg.solve(
        weights[0] + weights[1], weights[0] @ centres[0] + weights[1] @ centres[1]
    )
    np.testing.assert_allclose(found.world_from_cam.translation[0], expected, atol=1e-9)


def test_the_scale_of_all_covariances_does_not_matter() -> None:
    true = walk(20)
    noisy, measured = disturbed(true, 0.3, 0.1), pairs(disturbed(true, 0.02, 0.01, 9))

    def solved(factor: float) -> Pose:
        given = PosePriors(np.arange(20), noisy, factor * diagonal_covariance(0.3, 0.1))
        relative = RelativePoses(
            measured.a, measured.b, measured.b_from_a, factor * TIGHT, measured.metric
        )
        return solve_pose_graph(PoseGraph(20, given, relative), SQUARED).world_from_cam

    off, turned = errors(solved(1.0), solved(400.0))
    assert max(off.max(), turned.max()) < 1e-6


def test_more_doubt_of_relative_poses_leaves_frames_at_their_priors() -> None:
    true = walk(20)
    noisy = disturbed(true, 0.3, 0.1)
    loose = pairs(disturbed(true, 0.5, 0.3, 9))
    loose = RelativePoses(
        loose.a, loose.b, loose.b_from_a, diagonal_covariance(1e4, 1e4), loose.metric
    )
    found = solve_pose_graph(PoseGraph(20, priors(noisy), loose), SQUARED)
    off, turned = errors(found.world_from_cam, noisy)
    assert max(off.max(), turned.max()) < 1e-6


# --- outliers, gaps, gauge ------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["cauchy", "geman-mcclure"])
def test_an_outlying_prior_does_not_pull(loss: str) -> None:
    true = walk(30)
    given = disturbed(true, 0.02, 0.01)
    wrong = Pose.from_rotation(
        Rotation.from_euler("z", 170, degrees=True) * given[12].rotation,
        given[12].translation + np.array([9.0, -7.0, 2.0]),
    )
    rows = np.arange(30) == 12
    q = np.where(rows[:, None], wrong.q_wxyz, given.q_wxyz)
    centres = np.where(rows[:, None], wrong.translation, given.translation)
    bad = priors(Pose(q, centres), None, 0.02, 0.01)
    relative = pairs(disturbed(true, 0.002, 0.001, 8))
    options = PoseGraphOptions(loss, "cauchy")  # type: ignore[arg-type]
    robust = solve_pose_graph(PoseGraph(30, bad, relative), options)
    without = PosePriors(np.flatnonzero(~rows), given[~rows], diagonal_covariance(0.02, 0.01))
    clean = solve_pose_graph(PoseGraph(30, without, relative), options)
    off, turned = errors(robust.world_from_cam, clean.world_from_cam)
    assert off.max() < 0.002
    assert turned.max() < 0.001
    assert robust.prior_weights[12] < 0.01
    assert np.delete(robust.prior_weights, 12).min() > 0.2
    squared = solve_pose_graph(PoseGraph(30, bad, relative), SQUARED)
    assert errors(squared.world_from_cam, true)[0].max() > 0.3


def test_four_outliers_of_ten() -> None:
    true = walk(50)
    rng = np.random.default_rng(7)
    given = disturbed(true, 0.2, 0.05)
    wrong = rng.permutation(50)[:20]
    centres, q = given.translation.copy(), given.q_wxyz.copy()
    centres[wrong] += rng.uniform(-8, 8, (20, 3))
    q[wrong] = Rotation.random(20, rng=rng).as_quat(scalar_first=True)
    relative = pairs(disturbed(true, 0.005, 0.003, 8))
    found = solve_pose_graph(PoseGraph(50, priors(Pose(q, centres), None, 0.2, 0.05), relative))
    off, turned = errors(found.world_from_cam, true)
    assert np.median(off) < 0.2
    assert np.degrees(np.median(turned)) < 3.0
    assert found.prior_weights[wrong].max() < 0.5


def test_a_wrong_relative_pose_is_let_go() -> None:
    true = walk(30)
    relative = pairs(true, 3)
    q, t = relative.b_from_a.q_wxyz.copy(), relative.b_from_a.translation.copy()
    t[10] += [2.0, 0.0, 1.0]
    q[10] = (Rotation.from_rotvec([0.0, 0.5, 0.0]) * relative.b_from_a[10].rotation).as_quat(
        scalar_first=True
    )
    spoilt = RelativePoses(relative.a, relative.b, Pose(q, t), TIGHT, relative.metric)
    found = solve_pose_graph(PoseGraph(30, priors(true, None, 0.05, 0.02), spoilt))
    assert errors(found.world_from_cam, true)[0].max() < 0.01
    assert found.relative_weights[10] < 0.02


def test_a_direction_that_contradicts_does_not_run_away() -> None:
    """Backwards: no length fits, and the longer the less it misses by."""
    true = walk(12)
    relative = pairs(true, 1, metric=False)
    t = relative.b_from_a.translation.copy()
    t[5] *= -1.0
    spoilt = RelativePoses(
        relative.a, relative.b, Pose(relative.b_from_a.q_wxyz, t), TIGHT, relative.metric
    )
    found = solve_pose_graph(PoseGraph(12, priors(true, None, 0.05, 0.02), spoilt))
    assert errors(found.world_from_cam, true)[0].max() < 0.02
    assert np.isfinite(found.scales).all()
    assert found.relative_weights[5] < 0.02


def test_a_gap_leaves_each_part_to_its_own_priors() -> None:
    true = walk(30)
    whole = pairs(true, 1)
    kept = np.delete(np.arange(29), [9, 19])
    relative = RelativePoses(
        whole.a[kept], whole.b[kept], whole.b_from_a[kept], TIGHT, whole.metric[kept]
    )
    found = solve_pose_graph(PoseGraph(30, priors(true, [4, 25]), relative), SQUARED)
    expected = np.repeat([True, False, True], 10)
    np.testing.assert_array_equal(found.determined, expected)
    off, _ = errors(found.world_from_cam[expected], true[expected])
    assert off.max() < 1e-9
    np.testing.assert_array_equal(found.world_from_cam.translation[~expected], 0.0)
    np.testing.assert_array_equal(found.relative_weights[9:18], 0.0)


@pytest.mark.parametrize("spread", [0.0, 1e-7, 1e-3])
def test_priors_that_nearly_agree_hold_frames_where_they_are(spread: float) -> None:
    """A network that gives one answer to all frames: their steps are as short as none."""
    true = walk(40)
    relative = pairs(true, 2, metric=False)
    here = np.array([300.0, -200.0, 1.5])
    same = Pose(true.q_wxyz, here + spread * np.random.default_rng(4).standard_normal((40, 3)))
    for options in (SQUARED, PoseGraphOptions()):
        found = solve_pose_graph(PoseGraph(40, priors(same, None, 0.5, 0.2), relative), options)
        assert np.linalg.norm(found.world_from_cam.translation - here, axis=1).max() < 0.5


def test_one_prior_fixes_the_gauge() -> None:
    true = walk(15)
    relative = pairs(true, 1)
    found = solve_pose_graph(PoseGraph(15, priors(true, [7]), relative), SQUARED)
    assert errors(found.world_from_cam, true)[0].max() < 1e-9
    moved = Pose.from_rotation(Rotation.from_rotvec([0.3, 0.2, -2.0]), np.array([3.0, 4.0, 5.0]))
    carried = PosePriors(np.array([7]), moved @ true[7:8], TIGHT)
    again = solve_pose_graph(PoseGraph(15, carried, relative), SQUARED)
    assert errors(again.world_from_cam, moved @ true)[0].max() < 1e-9


def test_free_lengths_want_two_priors() -> None:
    true = walk(10)
    relative = pairs(true, 1, metric=False)
    one = solve_pose_graph(PoseGraph(10, priors(true, [3]), relative))
    np.testing.assert_array_equal(one.determined, np.arange(10) == 3)
    assert solve_pose_graph(PoseGraph(10, priors(true, [3, 8]), relative)).determined.all()


def test_nothing_known() -> None:
    empty = PosePriors(np.zeros(0, np.int64), Pose.stack([]), np.zeros((0, 6, 6)))
    found = solve_pose_graph(PoseGraph(4, empty, pairs(walk(4))))
    assert not found.determined.any()
    assert found.world_from_cam.shape == (4,)


def test_far_ties_are_solved_as_exactly() -> None:
    """A loop from the first frame to the last: no longer near the diagonal."""
    true = walk(80)
    a, b = np.r_[np.arange(79), 0, 3], np.r_[np.arange(1, 80), 79, 70]
    relative = RelativePoses(a, b, relative_pose(true[b], true[a]), TIGHT, np.ones(81, bool))
    found = solve_pose_graph(PoseGraph(80, priors(true, [40]), relative), SQUARED)
    off, turned = errors(found.world_from_cam, true)
    assert max(off.max(), turned.max()) < 1e-9


# --- parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [12, 300])
def test_normal_equations_against_dense_ones(size: int) -> None:
    """Near the diagonal, and (the larger) far from it."""
    rng = np.random.default_rng(size)
    columns = [np.stack([rng.permutation(size)[:3] for _ in range(size)]), np.arange(size)[:, None]]
    columns[0][0, 2] = ABSENT
    terms = [
        (rng.standard_normal((size, 2, 2)), rng.standard_normal((size, 2, 3))),
        (rng.standard_normal((size, 1, 2)), np.ones((size, 1, 1))),
    ]
    jacobian, residual = np.zeros((3 * size, size + 1)), np.zeros((3 * size, 2))
    row = 0
    for each, (r, j) in zip(columns, terms, strict=True):
        for k in range(size):
            rows = slice(row, row + r.shape[1])
            jacobian[rows, each[k]], residual[rows] = j[k], r[k]
            row += r.shape[1]
    jacobian = jacobian[:, :size]
    equations = NormalEquations(columns, size)
    values, gradient = equations.assemble(terms)
    added = np.linspace(0.1, 1.0, size)
    expected = np.linalg.solve(jacobian.T @ jacobian + np.diag(added), -jacobian.T @ residual)
    np.testing.assert_allclose(gradient, jacobian.T @ residual, atol=1e-12)
    np.testing.assert_allclose(equations.diagonal(values), (jacobian**2).sum(axis=0), atol=1e-12)
    np.testing.assert_allclose(equations.solve(values, -gradient, added), expected, atol=1e-9)


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_are_the_slopes_of_losses(loss) -> None:
    squared = np.linspace(0.01, 60, 50)
    up, down = (robust_loss(loss, squared + h, 2.0)[0] for h in (1e-6, -1e-6))
    weight = robust_loss(loss, squared, 2.0)[1]
    np.testing.assert_allclose(weight, (up - down) / 2e-6, rtol=1e-4)
    assert weight[0] == pytest.approx(1.0, abs=0.01)


def test_what_is_refused() -> None:
    true = walk(4)
    with pytest.raises(GeometryError, match="positive definite"):
        solve_pose_graph(PoseGraph(4, PosePriors(np.array([0]), true[:1], np.zeros((6, 6)))))
    with pytest.raises(GeometryError, match=r"frames from 0 to 2 are wanted, 0 to 3 came"):
        PoseGraph(3, priors(true))
    with pytest.raises(GeometryError, match="two different frames"):
        RelativePoses(np.array([1]), np.array([1]), true[:1], TIGHT, np.ones(1, bool))
    still = Pose(true.q_wxyz[:1], np.zeros((1, 3)))
    with pytest.raises(GeometryError, match="other than zero"):
        RelativePoses(np.array([0]), np.array([1]), still, TIGHT, np.zeros(1, bool))
    with pytest.raises(GeometryError, match="whose length is free"):
        PoseGraph(4, priors(true), pairs(true, 1), ScaleRatios([0], [1], [0.0], [0.1]))
    with pytest.raises(GeometryError, match=r"covariances \(4, 6, 6\) are wanted, \(3, 3\) came"):
        PosePriors(np.arange(4), true, np.eye(3))
    with pytest.raises(InputError, match="a loss of squared"):
        robust_loss("l1", np.ones(1), 1.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a scale above 0"):
        PoseGraphOptions(scale=0.0)
