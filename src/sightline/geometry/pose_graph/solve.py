"""The most likely poses of a pose graph: Levenberg-Marquardt on SE(3), robust, sparse."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sightline.errors import GeometryError, InputError
from sightline.geometry.pose import Pose
from sightline.geometry.pose_graph.graph import (
    PoseGraph,
    PosePriors,
    RelativePoses,
    ScaleRatios,
    whitening,
)
from sightline.geometry.pose_graph.normal import NormalEquations, step_columns
from sightline.geometry.pose_graph.robust import Loss, robust_loss
from sightline.geometry.pose_graph.start import first_guess, layout
from sightline.geometry.pose_graph.terms import State, prior_terms, ratio_terms, relative_terms
from sightline.geometry.rotation import Array

_LEAST_DAMPING, _MOST_DAMPING = 1e-12, 1e12
#: A step this short, in metres and radians, is rounding.
_LEAST_STEP = 1e-12
#: A free length stays within a thousandth and a thousand times its first guess: one whose direction
#: contradicts everything else would grow without end.
_WIDEST = float(np.log(1000.0))


@dataclass(frozen=True)
class PoseGraphOptions:
    """How a pose graph is solved."""

    prior_loss: Loss = "cauchy"
    """How priors that do not fit count: squared, huber, cauchy or geman-mcclure."""
    relative_loss: Loss = "cauchy"
    """How relative poses that do not fit count."""
    scale: float = 3.5
    """Length of a residual of six numbers, in standard deviations, from which it is suspected: 95%
    of good ones are shorter."""
    max_iterations: int = 100
    """Most steps."""
    tolerance: float = 1e-9
    """Relative decrease of the cost that ends the search."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        if not self.scale > 0 or self.max_iterations < 1 or not self.tolerance >= 0:
            raise InputError(
                "a scale above 0, one iteration or more and a tolerance of 0 or more are wanted, "
                f"{self.scale}, {self.max_iterations} and {self.tolerance} came"
            )


@dataclass(frozen=True, eq=False)
class PoseGraphSolution:
    """The most likely poses.

    Attributes:
        world_from_cam: (N,) poses; the identity where not ``determined``.
        determined: (N,) whether priors, near or far, say where the frame is.
        scales: (K,) the world's units in one unit of each relative translation; 1 where metric.
        prior_weights: (M,) how much each prior still counts, 0 to 1.
        relative_weights: (K,) how much each relative pose does; 0 where its frames are not
            determined.
        cost: Sum of the losses.
        iterations: Steps tried.
    """

    world_from_cam: Pose
    determined: NDArray[np.bool_]
    scales: Array
    prior_weights: Array
    relative_weights: Array
    cost: float
    iterations: int


def solve_pose_graph(
    graph: PoseGraph, options: PoseGraphOptions | None = None
) -> PoseGraphSolution:
    """Return the poses that make priors and relative poses most likely together.

    Frames that no prior reaches are left out, not guessed.

    Args:
        graph: What is known.
        options: How.

    Raises:
        GeometryError: A covariance is not positive definite, or no step can be computed.
    """
    options = options or PoseGraphOptions()
    determined = graph.determined()
    scales, weights = np.ones(len(graph.relative)), np.zeros(len(graph.relative))
    poses = Pose.identity((graph.frames,))
    if not determined.any():
        return PoseGraphSolution(poses, determined, scales, np.zeros(0), weights, 0.0, 0)
    inner, kept = _among(graph, determined)
    best, tried = _minimise(inner, options)
    found = best.state.poses
    q, centre = poses.q_wxyz.copy(), poses.translation.copy()
    q[determined], centre[determined] = found.q_wxyz, found.translation
    scales[kept], weights[kept] = np.exp(best.state.log_scale), best.weights[1]
    return PoseGraphSolution(
        Pose(q, centre), determined, scales, best.weights[0], weights, best.cost, tried
    )


def _among(graph: PoseGraph, determined: NDArray[np.bool_]) -> tuple[PoseGraph, NDArray[np.bool_]]:
    """Return the graph of the determined frames alone, and which relative poses are in it."""
    number = np.cumsum(determined) - 1
    priors, relative, ratios = graph.priors, graph.relative, graph.ratios
    kept = determined[relative.a] & determined[relative.b]
    row = np.cumsum(kept) - 1
    both = kept[ratios.first] & kept[ratios.second]
    inner = PoseGraph(
        int(determined.sum()),
        PosePriors(number[priors.frames], priors.world_from_cam, priors.covariance),
        RelativePoses(
            number[relative.a[kept]],
            number[relative.b[kept]],
            relative.b_from_a[kept],
            relative.covariance[kept],
            relative.metric[kept],
        ),
        ScaleRatios(
            row[ratios.first[both]],
            row[ratios.second[both]],
            ratios.log_ratio[both],
            ratios.sigma[both],
        ),
    )
    return inner, kept


@dataclass(frozen=True, eq=False)
class _Evaluated:
    """A state with its weighted terms, their weights, and the sum of their losses."""

    state: State
    terms: list[tuple[Array, Array]]
    weights: list[Array]
    cost: float


class _Problem:
    """A graph whose frames are all determined, with its unknowns laid out."""

    def __init__(self, graph: PoseGraph, options: PoseGraphOptions) -> None:
        self._graph, self._options = graph, options
        self._whiteners = (
            whitening(graph.priors.covariance),
            whitening(graph.relative.covariance),
        )
        frame_at, self._scale_at, size = layout(graph, 6)
        self._frame_columns = step_columns(frame_at, 6)
        relative, ratios = graph.relative, graph.ratios
        both = np.concatenate(
            [
                self._frame_columns[relative.a],
                self._frame_columns[relative.b],
                self._scale_at[:, None],
            ],
            axis=1,
        )
        pairs = np.stack([self._scale_at[ratios.first], self._scale_at[ratios.second]], axis=1)
        columns = [self._frame_columns[graph.priors.frames], both, pairs]
        self._equations = NormalEquations(columns, size)
        self.start = first_guess(graph, options.prior_loss, options.relative_loss)

    def evaluate(self, state: State) -> _Evaluated:
        """Return the terms at a state."""
        graph, options = self._graph, self._options
        kinds = [
            (prior_terms(state, graph.priors, self._whiteners[0]), options.prior_loss),
            (relative_terms(state, graph.relative, self._whiteners[1]), options.relative_loss),
            (ratio_terms(state, graph.ratios), options.relative_loss),
        ]
        terms, weights, cost = [], [], 0.0
        for (residual, jacobian), loss in kinds:
            losses, weight = robust_loss(loss, (residual**2).sum(axis=1), options.scale)
            root = np.sqrt(weight)[:, None]
            terms.append(((root * residual)[..., None], root[..., None] * jacobian))
            weights.append(weight)
            cost += float(losses.sum())
        return _Evaluated(state, terms, weights, cost)

    def step(self, at: _Evaluated, damping: float) -> tuple[State, float] | None:
        """Return the next state and the step's longest entry; None where there is no step."""
        values, gradient = self._equations.assemble(at.terms)
        added = damping * np.maximum(self._equations.diagonal(values), 1e-9)
        solution = self._equations.solve(values, -gradient, added)
        if solution is None:
            return None
        padded = np.append(solution[:, 0], 0.0)  # what is absent does not move
        moved = at.state.moved(padded[self._frame_columns], padded[self._scale_at])
        low, high = self.start.log_scale - _WIDEST, self.start.log_scale + _WIDEST
        moved = replace(moved, log_scale=np.clip(moved.log_scale, low, high))
        return moved, float(np.abs(padded).max())


def _minimise(graph: PoseGraph, options: PoseGraphOptions) -> tuple[_Evaluated, int]:
    """Return the best state, and how many steps were tried.

    Raises:
        GeometryError: The losses are not finite.
    """
    problem = _Problem(graph, options)
    best = problem.evaluate(problem.start)
    damping, tried = _LEAST_DAMPING, 0
    while tried < options.max_iterations and damping < _MOST_DAMPING:
        tried += 1
        step = problem.step(best, damping)
        there = None if step is None else problem.evaluate(step[0])
        if step is None or there is None or not there.cost <= best.cost:
            damping = max(100.0 * damping, 1e-6)
            continue
        fall, best = best.cost - there.cost, there
        damping = max(damping / 10.0, _LEAST_DAMPING)
        if fall <= options.tolerance * best.cost or step[1] < _LEAST_STEP:
            break
    if not np.isfinite(best.cost):
        raise GeometryError("finite priors and relative poses are wanted; the search ran away")
    return best, tried
