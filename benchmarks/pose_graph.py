"""Pose-graph optimisation of a video: our solver against least squares and other libraries.

    python benchmarks/pose_graph.py [--frames 100 1000 10000] [--methods sightline gtsam]

A walk whose every frame has an absolute answer (0.3 m and 5 degrees off, one in ten anywhere) and
whose neighbours, and frames two apart, are tied by odometry (1 cm, 0.3 degrees). All methods get
the same terms, Cauchy's loss, and start from the absolute answers (ours makes its own first guess
of them). GTSAM and pyceres are compared where they are installed; neither is a dependency.
Baselines: SciPy's sparse trust-region least squares with our analytic derivatives (what there is
without another library), GTSAM's Levenberg-Marquardt, and Ceres with costs written in Python, for
its wheel brings none for poses.
"""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import coo_array
from scipy.spatial.transform import Rotation

from _harness import Benchmark, in_own_process, run_main, say, timed
from sightline.geometry import Pose
from sightline.geometry.pose import relative_pose
from sightline.geometry.pose_graph import (
    PoseGraph,
    PosePriors,
    RelativePoses,
    diagonal_covariance,
    solve_pose_graph,
)
from sightline.geometry.pose_graph.graph import whitening
from sightline.geometry.pose_graph.terms import (
    State,
    inverse_right_jacobian,
    prior_terms,
    relative_terms,
)
from sightline.geometry.rotation import rotation_angle_deg

SCALE = 3.5
PRIOR = (0.3, np.deg2rad(5.0))
STEP = (0.01, np.deg2rad(0.3))
METHODS = ("sightline", "scipy", "gtsam", "pyceres")
#: Beyond these SciPy's inner solver and Python callbacks take minutes to hours.
LARGEST = {"scipy": 100, "pyceres": 100}


@dataclass(frozen=True, eq=False)
class Walk:
    """A graph and its truth."""

    graph: PoseGraph
    true: Pose


def walk(frames: int, seed: int = 0) -> Walk:
    """Return a walk at two frames a second, 0.5 m a step, with noisy terms."""
    rng = np.random.default_rng(seed)
    heading = np.cumsum(rng.normal(0, 0.15, frames))
    way = np.stack([np.cos(heading), np.sin(heading), np.zeros(frames)], axis=1)
    level = Rotation.from_matrix([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    turn = Rotation.from_euler("z", heading[:, None]) * level
    true = Pose.from_rotation(turn, np.cumsum(0.5 * way, axis=0) + np.array([0, 0, 1.5]))
    answers = noisy(true, *PRIOR, rng)
    wrong = rng.random(frames) < 0.1
    reach = np.abs(true.translation).max()
    centres = np.where(wrong[:, None], rng.uniform(-reach, reach, (frames, 3)), answers.translation)
    anyhow = Rotation.random(frames, rng=rng).as_quat(scalar_first=True)
    q = np.where(wrong[:, None], anyhow, answers.q_wxyz)
    a = np.r_[np.arange(frames - 1), np.arange(frames - 2)]
    b = np.r_[np.arange(1, frames), np.arange(2, frames)]
    steps = noisy(relative_pose(true[b], true[a]), *STEP, rng)
    relative = RelativePoses(a, b, steps, diagonal_covariance(*STEP), np.ones(len(a), bool))
    priors = PosePriors(np.arange(frames), Pose(q, centres), diagonal_covariance(*PRIOR))
    return Walk(PoseGraph(frames, priors, relative), true)


def noisy(poses: Pose, position: float, angle: float, rng: np.random.Generator) -> Pose:
    """Return poses with normal errors."""
    shift = rng.normal(0, position, (len(poses), 3))
    turn = Rotation.from_rotvec(rng.normal(0, angle, (len(poses), 3)))
    return Pose.from_rotation(poses.rotation * turn, poses.translation + shift)


def by_sightline(graph: PoseGraph) -> Pose:
    """Return our solution."""
    return solve_pose_graph(graph).world_from_cam


def by_scipy(graph: PoseGraph) -> Pose:
    """Return what SciPy's trust region finds in the tangent space of the start."""
    start = graph.priors.world_from_cam
    state = State(start.rotation_matrix, start.translation, np.zeros(len(graph.relative)))
    whiteners = whitening(graph.priors.covariance), whitening(graph.relative.covariance)
    columns = 6 * np.arange(graph.frames)[:, None] + np.arange(6)
    at = [
        columns[graph.priors.frames],
        np.concatenate([columns[graph.relative.a], columns[graph.relative.b]], axis=1),
    ]
    pattern = []
    row = 0
    for each in at:
        rows = row + 6 * np.arange(len(each))[:, None, None] + np.arange(6)[:, None]
        pattern.append(np.broadcast_arrays(rows, each[:, None, :]))
        row += 6 * len(each)
    rows = np.concatenate([p[0].ravel() for p in pattern])
    cols = np.concatenate([p[1].ravel() for p in pattern])

    def terms(x: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        moved = state.moved(x.reshape(-1, 6), np.zeros(len(graph.relative)))
        found = prior_terms(moved, graph.priors, whiteners[0])
        tied, slopes = relative_terms(moved, graph.relative, whiteners[1])
        return [found, (tied, slopes[..., :12])]

    def residuals(x: np.ndarray) -> np.ndarray:
        return np.concatenate([r.ravel() for r, _ in terms(x)])

    def jacobian(x: np.ndarray) -> coo_array:
        # exp(w + d) = exp(w) exp(J d), with J the right Jacobian at w.
        chain = np.linalg.inv(inverse_right_jacobian(x.reshape(-1, 6)[:, 3:]))
        entries = []
        for (_, slopes), frames in zip(
            terms(x),
            ([graph.priors.frames], [graph.relative.a, graph.relative.b]),
            strict=True,
        ):
            moved = slopes.copy()
            for k, each in enumerate(frames):
                moved[..., 6 * k + 3 : 6 * k + 6] = slopes[..., 6 * k + 3 : 6 * k + 6] @ chain[each]
            entries.append(moved.ravel())
        return coo_array(
            (np.concatenate(entries), (rows, cols)), shape=(row, 6 * graph.frames)
        ).tocsr()

    found = least_squares(
        residuals, np.zeros(6 * graph.frames), jacobian, loss="cauchy", f_scale=SCALE,
        tr_solver="lsmr", x_scale=1.0,
    )  # fmt: skip
    return state.moved(found.x.reshape(-1, 6), np.zeros(len(graph.relative))).poses


def by_gtsam(graph: PoseGraph) -> Pose:
    """Return GTSAM's solution."""
    import gtsam

    def pose(q_wxyz: np.ndarray, t: np.ndarray) -> gtsam.Pose3:
        return gtsam.Pose3(gtsam.Rot3.Quaternion(*q_wxyz), t)

    def noise(position: float, angle: float) -> gtsam.noiseModel.Base:
        return gtsam.noiseModel.Robust.Create(
            gtsam.noiseModel.mEstimator.Cauchy.Create(SCALE),
            gtsam.noiseModel.Diagonal.Sigmas(np.array([angle] * 3 + [position] * 3)),
        )

    factors, start = gtsam.NonlinearFactorGraph(), gtsam.Values()
    priors, relative = graph.priors, graph.relative
    loose, tight = noise(*PRIOR), noise(*STEP)
    given, steps = priors.world_from_cam, relative.b_from_a.inverse()
    for i, frame in enumerate(priors.frames):
        at = pose(given.q_wxyz[i], given.translation[i])
        factors.add(gtsam.PriorFactorPose3(int(frame), at, loose))
        start.insert(int(frame), at)
    for k in range(len(relative)):
        step = pose(steps.q_wxyz[k], steps.translation[k])
        factors.add(gtsam.BetweenFactorPose3(int(relative.a[k]), int(relative.b[k]), step, tight))
    found = gtsam.LevenbergMarquardtOptimizer(factors, start).optimize()
    return Pose.from_matrix(np.stack([found.atPose3(i).matrix() for i in range(graph.frames)]))


def by_pyceres(graph: PoseGraph) -> Pose:
    """Return Ceres' solution, with costs in Python over steps from the start."""
    import pyceres

    start = graph.priors.world_from_cam
    centres = [c.copy() for c in start.translation]
    vectors = [v.copy() for v in start.rotation.as_rotvec()]
    whiteners = whitening(graph.priors.covariance), whitening(graph.relative.covariance)

    def state(values: list[np.ndarray]) -> State:
        turn = Rotation.from_rotvec(np.stack(values[1::2]))
        return State(turn.as_matrix(), np.stack(values[0::2]), np.zeros(1))

    class Cost(pyceres.CostFunction):
        def __init__(self, terms, frames: int) -> None:
            super().__init__()
            self.set_num_residuals(6)
            self.set_parameter_block_sizes([3] * (2 * frames))
            self._terms = terms

        def Evaluate(self, parameters, residuals, jacobians) -> bool:  # noqa: N802
            values = [np.array(p) for p in parameters]
            residual, slopes = self._terms(state(values))
            residuals[:] = residual[0]
            if jacobians is not None:
                for k, jacobian in enumerate(jacobians):
                    if jacobian is None:
                        continue
                    block = slopes[0, :, 3 * k : 3 * k + 3]
                    if k % 2:
                        block = block @ np.linalg.inv(inverse_right_jacobian(values[k][None])[0])
                    jacobian[:] = block.ravel()
            return True

    problem, loss = pyceres.Problem(), pyceres.CauchyLoss(SCALE)
    costs = []
    for i, frame in enumerate(graph.priors.frames):
        one = PosePriors(np.array([0]), start[i : i + 1], graph.priors.covariance[i : i + 1])
        costs.append(Cost(lambda s, o=one, i=i: prior_terms(s, o, whiteners[0][i : i + 1]), 1))
        problem.add_residual_block(costs[-1], loss, [centres[frame], vectors[frame]])
    relative = graph.relative
    for k in range(len(relative)):
        one = RelativePoses(
            np.array([0]), np.array([1]), relative.b_from_a[k : k + 1],
            relative.covariance[k : k + 1], relative.metric[k : k + 1],
        )  # fmt: skip
        costs.append(Cost(lambda s, o=one, k=k: relative_terms(s, o, whiteners[1][k : k + 1]), 2))
        a, b = relative.a[k], relative.b[k]
        problem.add_residual_block(
            costs[-1], loss, [centres[a], vectors[a], centres[b], vectors[b]]
        )
    options, summary = pyceres.SolverOptions(), pyceres.SolverSummary()
    options.linear_solver_type = pyceres.LinearSolverType.SPARSE_NORMAL_CHOLESKY
    options.max_num_iterations, options.num_threads = 100, 1
    pyceres.solve(options, problem, summary)
    return Pose.from_rotation(Rotation.from_rotvec(np.stack(vectors)), np.stack(centres))


def measured(method: str, frames: int) -> dict[str, float]:
    """Return seconds and errors of one method on one walk."""
    made = walk(frames)
    before = time.process_time()
    seconds, found = timed(lambda: globals()[f"by_{method}"](made.graph))
    busy = time.process_time() - before
    off = np.linalg.norm(found.translation - made.true.translation, axis=1)
    turned = rotation_angle_deg(found.q_wxyz, made.true.q_wxyz)
    return {
        "seconds": seconds,
        "cpu_seconds": busy,
        "median_m": float(np.median(off)),
        "max_m": float(off.max()),
        "median_deg": float(np.median(turned)),
    }


def nothing(frames: int) -> float:
    """Return nothing, for the memory of imports and of the walk alone."""
    return float(walk(frames).graph.frames)


def main() -> None:
    """Measure, print a table, write bench-results/pose_graph.json."""
    bench = Benchmark(__file__, __doc__)
    bench.parser.add_argument("--frames", type=int, nargs="+", default=[100, 1000, 10000])
    bench.parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    options = bench.options()
    rows = []
    for frames in options.frames:
        idle = in_own_process(nothing, frames).peak_mb
        given = walk(frames)
        answers = given.graph.priors.world_from_cam
        off = np.linalg.norm(answers.translation - given.true.translation, axis=1)
        turned = rotation_angle_deg(answers.q_wxyz, given.true.q_wxyz)
        rows.append(
            {
                "frames": frames, "method": "absolute answers alone",
                "median_m": float(np.median(off)), "max_m": float(off.max()),
                "median_deg": float(np.median(turned)),
            }
        )  # fmt: skip
        for method in options.methods:
            library = {"gtsam": "gtsam", "pyceres": "pyceres"}.get(method)
            if library is not None and importlib.util.find_spec(library) is None:
                say(f"{method} is not installed: left out")
                continue
            if frames > LARGEST.get(method, frames):
                say(f"{method}, {frames} frames: takes minutes, left out")
                continue
            say(f"{method}, {frames} frames")
            outcome = in_own_process(measured, method, frames)
            rows.append(
                {"frames": frames, "method": method, **outcome.value,
                 "memory_mb": max(0.0, outcome.peak_mb - idle)}
            )  # fmt: skip
    columns = {
        "frames": "frames", "method": "method", "seconds": "seconds",
        "cpu_seconds": "of a core", "memory_mb": "MB over the walk's own",
        "median_m": "median m",
        "max_m": "largest m", "median_deg": "median deg",
    }  # fmt: skip
    bench.report(
        "A walk with noisy answers (one in ten wrong) and odometry, as one pose graph; "
        "baseline: SciPy's least squares",
        columns,
        rows,
    )


if __name__ == "__main__":
    run_main(main)
