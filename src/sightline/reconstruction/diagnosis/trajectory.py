"""Jumps of a trajectory, turns on the spot, and cameras that lie on their side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.geometry.rotation import Array, rotation_angle_deg

#: A step this many times faster than the walk around it is a jump. Real walks at 2 to 10 frames a
#: second stay below 2.6 (7-Scenes, TUM RGB-D, KITTI; docs/doctor.md).
JUMP_FACTOR = 4.0
#: A turn between neighbouring frames that is a jump, in degrees: beyond it they share no view.
JUMP_TURN_DEG = 60.0
#: Speeds are compared with at least this share of the whole walk's median, so that the first step
#: after a halt is no jump.
_FLOOR_SHARE = 0.5
_NEIGHBOURS = 5
#: A stretch that turns by this many degrees sees mostly new things.
SPOT_TURN_DEG = 20.0
#: Baseline over depth that gives COLMAP's smallest angle of triangulation, 1.5 degrees.
SPOT_BASELINE = float(np.tan(np.deg2rad(1.5)))


@dataclass(frozen=True, eq=False)
class Steps:
    """The S steps between frames that follow each other in time.

    Attributes:
        a: (S,) row of the earlier frame.
        b: (S,) row of the later frame.
        seconds: (S,) between them.
        lengths: (S,) in the world's unit.
        turns_deg: (S,) degrees.
    """

    a: NDArray[np.int64]
    b: NDArray[np.int64]
    seconds: Array
    lengths: Array
    turns_deg: Array

    @property
    def speeds(self) -> Array:
        """(S,) units a second."""
        speeds: Array = self.lengths / self.seconds
        return speeds


@dataclass(frozen=True)
class Jump:
    """A place where the trajectory leaps.

    Attributes:
        a: Row of the last frame before it.
        b: Row of the first frame after it.
        times: Its speed over the walk's around it.
        speed: Units a second.
        turn_deg: Degrees from ``a`` to ``b``.
        lone: Row of the frame that stands alone: the walk goes there and comes back; None where the
            walk goes on from the new place.
    """

    a: int
    b: int
    times: float
    speed: float
    turn_deg: float
    lone: int | None


@dataclass(frozen=True)
class SpotTurn:
    """A stretch where the camera turned and hardly moved.

    Attributes:
        a: Row of its first frame.
        b: Row of its last frame.
        turn_deg: Degrees turned from a to b.
        parallax: Largest distance from the first camera's centre, over the depth of what it sees.
    """

    a: int
    b: int
    turn_deg: float
    parallax: float


def steps_in_time(world_from_cam: Pose, seconds: Array) -> Steps:
    """Return the steps between neighbours of (N,) poses, where time goes on from one to the next.

    Args:
        world_from_cam: (N,) poses in order.
        seconds: (N,) timestamps; where they do not grow another recording begins.
    """
    a = np.flatnonzero(np.diff(seconds) > 0) if len(seconds) > 1 else np.zeros(0, np.int64)
    b = a + 1
    return Steps(
        a,
        b,
        seconds[b] - seconds[a],
        np.linalg.norm(world_from_cam.translation[b] - world_from_cam.translation[a], axis=-1),
        rotation_angle_deg(world_from_cam.q_wxyz[a], world_from_cam.q_wxyz[b]),
    )


def find_jumps(world_from_cam: Pose, steps: Steps) -> list[Jump]:
    """Return the jumps of a trajectory, in order; a frame that stands alone is one jump.

    A step is a jump where its speed is :data:`JUMP_FACTOR` times the median of the five steps
    before and after it, or where it turns by more than :data:`JUMP_TURN_DEG` within a second.
    """
    times = _times_the_walk(steps.speeds)
    turned = (steps.turns_deg > JUMP_TURN_DEG) & (steps.seconds <= 1.0)
    rows = np.flatnonzero((times > JUMP_FACTOR) | turned)
    jumps: list[Jump] = []
    used: set[int] = set()
    for row in rows.tolist():
        if row in used:
            continue
        lone = None
        if (
            row + 1 in rows
            and steps.b[row] == steps.a[row + 1]
            and _returns(world_from_cam, steps, row)
        ):
            used.add(row + 1)
            lone = int(steps.b[row])
        jumps.append(
            Jump(
                int(steps.a[row]),
                int(steps.b[row]),
                float(times[row]),
                float(steps.speeds[row]),
                float(steps.turns_deg[row]),
                lone,
            )
        )
    return jumps


def _times_the_walk(speeds: Array) -> Array:
    usual = float(np.median(speeds)) if len(speeds) else 0.0
    times = np.zeros(len(speeds))
    for i, speed in enumerate(speeds):
        around = np.r_[speeds[max(0, i - _NEIGHBOURS) : i], speeds[i + 1 : i + 1 + _NEIGHBOURS]]
        # Beside a jump its twin is among the neighbours; a median of four or more is not moved.
        if len(around) >= 4 and usual > 0:
            times[i] = speed / max(float(np.median(around)), _FLOOR_SHARE * usual)
    return times


def _returns(world_from_cam: Pose, steps: Steps, row: int) -> bool:
    """Return whether the two steps from ``row`` on go somewhere and come back."""
    before, after = world_from_cam[int(steps.a[row])], world_from_cam[int(steps.b[row + 1])]
    back = float(np.linalg.norm(after.translation - before.translation))
    turn = float(rotation_angle_deg(before.q_wxyz, after.q_wxyz))
    if steps.turns_deg[row] > JUMP_TURN_DEG >= turn and steps.turns_deg[row + 1] > JUMP_TURN_DEG:
        return True
    return back < 0.5 * float(min(steps.lengths[row], steps.lengths[row + 1]))


def find_spot_turns(world_from_cam: Pose, depths: Array) -> list[SpotTurn]:
    """Return stretches where the camera turned by 20 degrees or more without moving.

    What comes into view there cannot be triangulated: the baseline is below what gives an angle of
    1.5 degrees at the depth of the scene, which is the least that COLMAP accepts.

    Args:
        world_from_cam: (N,) poses in order of time.
        depths: (N,) median depth of what each frame sees, in the same unit.
    """
    found: list[SpotTurn] = []
    centres, count, a = world_from_cam.translation, len(world_from_cam), 0
    while a < count - 1:
        reach = np.linalg.norm(centres[a:] - centres[a], axis=-1) / depths[a]
        still = np.flatnonzero(reach >= SPOT_BASELINE)
        end = a + (int(still[0]) if len(still) else len(reach)) - 1
        turns = rotation_angle_deg(
            world_from_cam.q_wxyz[a : a + 1], world_from_cam.q_wxyz[a : end + 1]
        )
        b = a + int(np.argmax(turns))
        if turns[b - a] >= SPOT_TURN_DEG:
            found.append(SpotTurn(a, b, float(turns[b - a]), float(reach[: b - a + 1].max())))
            a = end
        a += 1
    return found


def rolls_deg(world_from_cam: Pose, up: Array) -> Array:
    """Return (N,) how far each picture is turned about its axis: 0 upright, 90 right side up.

    Degrees by which the world's up is turned clockwise from the picture's up, in (-180, 180].

    Args:
        world_from_cam: (N,) poses.
        up: (3,) the world's up.
    """
    in_camera = world_from_cam.rotation.inv().apply(np.asarray(up, dtype=np.float64))
    rolls: Array = np.rad2deg(np.arctan2(in_camera[..., 0], -in_camera[..., 1]))
    return rolls


def walk_normal(centres: Array) -> Array | None:
    """Return the (3,) unit normal of the plane that a walk lies in, of unknown sign, or None.

    None where the walk is not flat, or too straight to tell a plane.
    """
    if len(centres) < 10:
        return None
    _, spread, axes = np.linalg.svd(centres - centres.mean(axis=0), full_matrices=False)
    if spread[1] < 0.1 * spread[0] or spread[2] > 0.1 * spread[1]:
        return None
    normal: Array = axes[2]
    return normal


def lies_on_its_side(world_from_cam: Pose, normal: Array) -> bool:
    """Return whether the cameras' x axes, and not their y axes, stand across the walk's plane."""
    axes = world_from_cam.rotation_matrix
    across = np.abs(np.einsum("nij,i->nj", axes, normal))
    return bool(np.median(across[:, 0]) > np.cos(np.deg2rad(30.0)))


def drawn_from_above(centres: Array, up: Array | None) -> Array:
    """Return (N, 2) positions seen along ``up``, or along the direction the walk spans least."""
    if up is not None and abs(float(up[2])) > 0.99:
        seen: Array = centres[:, :2] * np.array([1.0, 1.0 if up[2] > 0 else -1.0])
        return seen
    centred = centres - centres.mean(axis=0)
    flat: Array = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    return flat
