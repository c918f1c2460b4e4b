"""A first guess of a pose graph from all its terms at once: rotations, then centres and scales.

Both are linear problems, so that no starting point can be wrong: rotations are first taken for any
matrices (chordal relaxation, Martinec and Pajdla 2007), then centres and scales follow with the
rotations held (Carlone et al. 2015, Sec. III). Weights of outliers fall round by round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sightline.errors import GeometryError
from sightline.geometry.pose import Pose
from sightline.geometry.pose_graph.graph import PoseGraph, Rows
from sightline.geometry.pose_graph.normal import ABSENT, NormalEquations, step_columns
from sightline.geometry.pose_graph.robust import Loss, robust_loss
from sightline.geometry.pose_graph.terms import State
from sightline.geometry.rotation import Array

#: Rounds of reweighting: first with a loss that has no false minimum, then with the one asked for.
_ROUNDS = (6, 6)
#: 95% of triples of standard normal numbers are no longer than this.
_SCALE = 2.8
#: A scale's own standard deviation about the typical one, in typical ones: nearly none.
_LOOSE = 20.0
#: Least share of the typical scale that a scale begins with; the linear problem may go below 0.
_LEAST_SCALE = 0.05
#: Shortest typical step from frame to frame, in standard deviations of a prior's centre: priors
#: cannot tell a shorter one from none at all.
_LEAST_STEP = 0.1


def first_guess(graph: PoseGraph, prior_loss: Loss, relative_loss: Loss) -> State:
    """Return where frames are likely to be.

    Args:
        graph: Every frame determined.
        prior_loss: Of priors.
        relative_loss: Of relative poses.
    """
    rotation = _rotations(graph, prior_loss, relative_loss)
    centre, scale = _centres(graph, rotation, prior_loss, relative_loss)
    return State(rotation, centre, np.log(scale))


def layout(graph: PoseGraph, width: int) -> tuple[Rows, Rows, int]:
    """Return where each frame's unknowns begin, each relative pose's scale, and how many there are.

    Scales stand right behind the later of their two frames, so that what is tied lies close; those
    of metric relative poses are ``ABSENT``.
    """
    relative = graph.relative
    free = np.flatnonzero(~relative.metric)
    place = np.concatenate(
        [np.arange(graph.frames), np.maximum(relative.a, relative.b)[free] + 0.5]
    )
    widths = np.concatenate([np.full(graph.frames, width), np.ones(len(free), np.int64)])
    order = np.argsort(place, kind="stable")
    begins = np.empty(len(order), np.int64)
    begins[order] = np.concatenate([[0], np.cumsum(widths[order])[:-1]])
    scales = np.full(len(relative), ABSENT)
    scales[free] = begins[graph.frames :]
    return begins[: graph.frames], scales, int(widths.sum())


@dataclass(frozen=True, eq=False)
class _Linear:
    """Terms ``slopes @ x[columns] + at_zero``, of B terms with r rows, for q right-hand sides.

    Attributes:
        columns: (B, w) unknowns.
        slopes: (B, r, w).
        at_zero: (B, r, q).
        sigma: (B,) what a residual's length is measured in.
        loss: How outliers count.
    """

    columns: Rows
    slopes: Array
    at_zero: Array
    sigma: Array
    loss: Loss = "squared"

    def length(self, solution: Array) -> Array:
        """Return (B,) lengths of the residuals, in sigmas."""
        padded = np.concatenate([solution, np.zeros((1, solution.shape[1]))])
        residual = self.slopes @ padded[self.columns] + self.at_zero
        squared = np.einsum("brq,brq->b", residual, residual)
        length: Array = np.sqrt(squared) / self.sigma
        return length


def _rotations(graph: PoseGraph, prior_loss: Loss, relative_loss: Loss) -> Array:
    """Return (N, 3, 3) rotations; the unknowns are the rows of their transposes."""
    priors, relative = graph.priors, graph.relative
    starts, identity = 3 * np.arange(graph.frames), np.eye(3)
    turn = np.swapaxes(relative.b_from_a.rotation_matrix, -1, -2)
    between = np.concatenate([np.broadcast_to(-identity, turn.shape), turn], axis=2)
    given = np.swapaxes(priors.world_from_cam.rotation_matrix, -1, -2)
    # The chord of a small rotation is the square root of two times its angle.
    chord = np.sqrt(2.0)
    kinds = [
        _Linear(
            step_columns(starts[priors.frames], 3),
            np.broadcast_to(identity, given.shape),
            -given,
            chord * _sigma(priors.covariance, 3),
            prior_loss,
        ),
        _Linear(
            _joined(starts[relative.a], starts[relative.b]),
            between,
            np.zeros_like(turn),
            chord * _sigma(relative.covariance, 3),
            relative_loss,
        ),
    ]
    relaxed = np.swapaxes(_solve(kinds, 3 * graph.frames).reshape(-1, 3, 3), -1, -2)
    u, _, vt = np.linalg.svd(relaxed)
    u[..., 2] *= np.sign(np.linalg.det(u) * np.linalg.det(vt))[:, None]
    rotation: Array = u @ vt
    return rotation


def _centres(
    graph: PoseGraph, rotation: Array, prior_loss: Loss, relative_loss: Loss
) -> tuple[Array, Array]:
    """Return (N, 3) centres and (K,) scales with the rotations held."""
    given = graph.priors.world_from_cam
    # What the terms hardly determine shrinks to 0: that must not be a far-off origin.
    middle = np.median(given.translation, axis=0)
    near = replace(graph.priors, world_from_cam=Pose(given.q_wxyz, given.translation - middle))
    graph, metric = replace(graph, priors=near), graph.relative.metric
    frame_at, scale_at, size = layout(graph, 3)
    unit = np.where(metric, 1.0, _typical_scale(graph))
    kinds = _centre_terms(graph, rotation, unit, (frame_at, scale_at), (prior_loss, relative_loss))
    solution = _solve(kinds, size)[:, 0]
    found = np.where(metric, 1.0, unit * np.append(solution, 0.0)[scale_at])
    return middle + solution[step_columns(frame_at, 3)], np.maximum(found, _LEAST_SCALE * unit)


def _centre_terms(
    graph: PoseGraph,
    rotation: Array,
    unit: Array,
    at: tuple[Rows, Rows],
    losses: tuple[Loss, Loss],
) -> list[_Linear]:
    """Return the terms of centres and of scales, which are counted in typical ones (``unit``)."""
    priors, relative, ratios = graph.priors, graph.relative, graph.ratios
    (frame_at, scale_at), identity = at, np.eye(3)
    free = np.flatnonzero(~relative.metric)
    # c_a - c_b = scale R_b t: the scale is unknown, or 1 and the translation known.
    ahead = unit[:, None] * np.einsum(
        "kij,kj->ki", rotation[relative.b], relative.b_from_a.translation
    )
    known = np.where(relative.metric[:, None], ahead, 0.0)
    eye = np.broadcast_to(identity, (len(relative), 3, 3))
    ratio = np.exp(ratios.log_ratio)
    columns = np.concatenate(
        [_joined(frame_at[relative.a], frame_at[relative.b]), scale_at[:, None]], axis=1
    )
    return [
        _Linear(
            step_columns(frame_at[priors.frames], 3),
            np.broadcast_to(identity, (len(priors), 3, 3)),
            -priors.world_from_cam.translation[..., None],
            _sigma(priors.covariance, 0),
            losses[0],
        ),
        _Linear(
            columns,
            np.concatenate([eye, -eye, -(ahead - known)[..., None]], axis=2),
            -known[..., None],
            unit * _sigma(relative.covariance, 0),
            losses[1],
        ),
        _Linear(
            np.stack([scale_at[ratios.first], scale_at[ratios.second]], axis=1),
            np.stack([-ratio, np.ones_like(ratio)], axis=-1)[:, None, :],
            np.zeros((len(ratios), 1, 1)),
            ratios.sigma * ratio,
        ),
        _Linear(
            scale_at[free][:, None],
            np.ones((len(free), 1, 1)),
            np.full((len(free), 1, 1), -1.0),
            np.full(len(free), _LOOSE),
        ),
    ]


def _solve(kinds: Sequence[_Linear], size: int) -> Array:
    """Return (size, q) the robust least-squares solution, by reweighting.

    Raises:
        GeometryError: The terms do not determine the unknowns.
    """
    equations = NormalEquations([k.columns for k in kinds], size)
    weights = [np.ones(len(k.columns)) for k in kinds]
    solution = np.zeros((size, kinds[0].at_zero.shape[-1]))
    for own, rounds in zip((False, True), _ROUNDS, strict=True):
        for _ in range(rounds):
            factors = [np.sqrt(w) / k.sigma for w, k in zip(weights, kinds, strict=True)]
            terms = [
                (f[:, None, None] * k.at_zero, f[:, None, None] * k.slopes)
                for f, k in zip(factors, kinds, strict=True)
            ]
            values, gradient = equations.assemble(terms)
            added = 1e-12 * equations.diagonal(values)
            found = equations.solve(values, -gradient, added)
            if found is None:
                raise GeometryError("priors and relative poses that fix all frames are wanted")
            solution = found
            if all(k.loss == "squared" for k in kinds):
                return solution
            for k, kind in enumerate(kinds):
                loss = kind.loss if own or kind.loss == "squared" else "huber"
                weights[k] = robust_loss(loss, kind.length(solution) ** 2, _SCALE)[1]
    return solution


def _typical_scale(graph: PoseGraph) -> float:
    """Return about how many of the world's units a unit of a free translation is, from priors."""
    priors, relative = graph.priors, graph.relative
    frames, first = np.unique(priors.frames, return_index=True)
    free = ~relative.metric
    if len(frames) < 2 or not free.any():
        return 1.0
    centres = priors.world_from_cam.translation[first]
    steps = np.linalg.norm(np.diff(centres, axis=0), axis=1) / np.diff(frames)
    least = _LEAST_STEP * np.median(_sigma(priors.covariance, 0))
    step = max(float(np.median(steps)), float(least))
    lengths = np.linalg.norm(relative.b_from_a.translation, axis=1)
    lengths = lengths[free] / np.abs(relative.b - relative.a)[free]
    return step / float(np.median(lengths))


def _joined(first: Rows, second: Rows) -> Rows:
    return np.concatenate([step_columns(first, 3), step_columns(second, 3)], axis=1)


def _sigma(covariance: Array, begin: int) -> Array:
    """Return (N,) standard deviation of one of three numbers of covariances, on average."""
    block = covariance[:, begin : begin + 3, begin : begin + 3]
    sigma: Array = np.sqrt(np.trace(block, axis1=1, axis2=2) / 3.0)
    return sigma
