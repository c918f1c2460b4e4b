"""Which images of a posed set make pairs: by shared points, by frusta, or one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, find, triu

from sightline.errors import InputError
from sightline.geometry import Camera, Pose
from sightline.geometry.frustum import (
    all_pairs,
    frusta_intersect,
    frustum_overlap,
    view_frusta,
)
from sightline.geometry.pose import relative_pose
from sightline.geometry.rotation import Array, rotation_angle_deg
from sightline.records.pairs import ImagePair

PairKind = Literal["auto", "points", "frustum", "consecutive", "all"]

#: Near and far planes around the depth at which the views meet, in parts of it.
_AROUND = (0.6, 1.6)
#: Frusta around an object meet from all sides; pictures from further apart show other sides of it.
_WIDEST_DEG = 60.0
#: A pause this many times as long as usual ends a run of consecutive images.
_BREAK = 3.0


@dataclass(frozen=True)
class PairingConfig:
    """Which images of a posed set make pairs."""

    kind: PairKind = "auto"
    """points: that see the same 3D points; frustum: whose views meet between near and far;
    consecutive: one after the other; all; auto: points where there are some, frustum where
    the cameras look at one thing (or near and far are given), else consecutive."""
    step: int = 1
    """Frames from one image of a consecutive pair to the other."""
    max_angle_deg: float | None = None
    """Leave out pairs whose views are turned by more than this against each other; not given: 60
    where frusta have no planes given (views of an object from its sides meet, and share
    nothing), else 180."""
    min_overlap: float | None = None
    """Leave out pairs that share less of their view; not given: 0.1 of the points, 0.3 of
    frusta, unless near and far say it."""
    near: float | None = None
    """Depth of the frusta's near plane, in the set's unit; not given: 0.6 of the depth at which
    the views meet."""
    far: float | None = None
    """Depth of the far plane; not given: 1.6 of that depth."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(PairKind):
            raise InputError(
                f"a pairing of {', '.join(get_args(PairKind))} is wanted, {self.kind!r} came"
            )
        if self.step < 1:
            raise InputError(f"a step of 1 or more is wanted, {self.step} came")
        if (self.near is None) != (self.far is None):
            raise InputError("both near and far are wanted, or neither")
        if self.near is not None and self.far is not None and not 0 < self.near < self.far:
            raise InputError(f"0 < near < far is wanted, {self.near:g} and {self.far:g} came")
        if self.min_overlap is not None and not 0 <= self.min_overlap <= 1:
            raise InputError(f"a least overlap in [0, 1] is wanted, {self.min_overlap:g} came")
        if self.max_angle_deg is not None and not 0 < self.max_angle_deg <= 180:
            raise InputError(f"a largest angle in (0, 180] is wanted, {self.max_angle_deg:g} came")


@dataclass(frozen=True, eq=False)
class PosedView:
    """One image whose pose is known.

    Attributes:
        image: Path, relative to the set's folder or absolute.
        world_from_cam: In the world of its scene.
        camera: None where unknown.
        assumed_camera: Stands in for an unknown one where frusta are made; never told as truth.
        time_s: When it was taken; a gap ends a run of consecutive images.
        scene: Pairs are made inside one scene.
        split: And inside one split (PITFALLS 11).
        point_ids: Ids of the 3D points it sees; None where there are none at all.
    """

    image: Path
    world_from_cam: Pose
    camera: Camera | None = None
    assumed_camera: Camera | None = None
    time_s: float | None = None
    scene: str = ""
    split: str = ""
    point_ids: NDArray[np.int64] | None = None


@dataclass(frozen=True, eq=False)
class _Group:
    """Views of one scene and split, in order."""

    views: list[PosedView]
    poses: Pose


@dataclass(frozen=True, eq=False)
class _Chosen:
    """Pairs of one group, how they were chosen, and what they share where that is known."""

    index: NDArray[np.int64]
    words: str
    overlap: Array | None = None
    max_angle_deg: float = 180.0


def pairs_of_frames(
    views: Sequence[PosedView], config: PairingConfig | None = None
) -> tuple[list[ImagePair], str]:
    """Return the pairs of posed images, and in words how they were chosen.

    Both members of a pair come from one scene and one split. The order of the views counts for
    ``consecutive``; a's place in it is before b's.

    Args:
        views: Images with poses, in the order they were taken.
        config: Which pairs; automatic where not given.

    Raises:
        InputError: The kind asked for needs what the views do not have, or no pair is left.
    """
    config = config or PairingConfig()
    groups: dict[tuple[str, str], list[PosedView]] = {}
    for view in views:
        groups.setdefault((view.scene, view.split), []).append(view)
    pairs: list[ImagePair] = []
    said: dict[str, None] = {}
    for members in groups.values():
        if len(members) < 2:
            continue
        group = _Group(members, Pose.stack([v.world_from_cam for v in members]))
        chosen = _choose(group, config)
        if config.max_angle_deg is not None:
            chosen = replace(chosen, max_angle_deg=config.max_angle_deg)
        said[chosen.words] = None
        if chosen.max_angle_deg < 180:
            said[f"turned by {chosen.max_angle_deg:g} degrees or less"] = None
        pairs += _pairs(group, chosen)
    if not pairs:
        raise InputError(
            f"a pair or more is wanted, {len(views)} images give none "
            f"({'; '.join(said) or 'one image a scene and split'}); "
            "try another pairing kind, a smaller min_overlap or a larger max_angle_deg"
        )
    return pairs, ", ".join(said)


def shared_points(
    views: Sequence[PosedView],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return (P, 2) the pairs that share a 3D point, (P,) how many, and (N,) what each view sees.

    Raises:
        InputError: A view has no list of points.
    """
    lists = [v.point_ids for v in views]
    if any(ids is None for ids in lists):
        raise InputError(
            "3D points are wanted for pairing by `points`, some images have none; "
            "use a COLMAP model, or pair by frustum or consecutive"
        )
    seen = [np.unique(ids[ids >= 0]) for ids in lists if ids is not None]
    counts = np.array([len(ids) for ids in seen], dtype=np.int64)
    _, columns = np.unique(np.concatenate([*seen, np.zeros(0, np.int64)]), return_inverse=True)
    rows = np.repeat(np.arange(len(seen)), counts)
    shape = (len(seen), int(columns.max(initial=-1)) + 1)
    sees = csr_array((np.ones(len(rows), np.int64), (rows, columns)), shape=shape)
    i, j, shared = find(triu(sees @ sees.T, 1))
    order = np.lexsort((j, i))
    index = np.stack([i, j], axis=1).astype(np.int64)[order]
    return index, np.asarray(shared, dtype=np.int64)[order], counts


def common_depth(poses: Pose) -> Array | None:
    """Return (N,) the depth of the point that all cameras look at, or None where there is none.

    The point is nearest to all optical axes in the least-squares sense. It counts where every
    camera has it in front, not far from the axis (20 degrees), and most views differ (5 degrees):
    a rig around an object, never a drive straight on.
    """
    axes, centres = poses.rotation_matrix[..., 2], poses.translation
    away = np.eye(3) - axes[:, :, None] * axes[:, None, :]
    total = away.sum(axis=0)
    if np.linalg.eigvalsh(total)[0] < len(poses) * np.sin(np.deg2rad(5)) ** 2 / 2:
        return None
    point = np.linalg.solve(total, np.einsum("nij,nj->i", away, centres))
    to_point = point - centres
    depth: Array = np.einsum("ni,ni->n", axes, to_point)
    aside = np.linalg.norm(to_point - depth[:, None] * axes, axis=1)
    meets = (depth > 0) & (aside < np.tan(np.deg2rad(20)) * depth)
    return depth if meets.all() else None


def _choose(group: _Group, config: PairingConfig) -> _Chosen:
    kind = config.kind
    if kind == "auto":
        if all(view.point_ids is not None for view in group.views):
            kind = "points"
        elif config.near is not None or common_depth(group.poses) is not None:
            kind = "frustum"
        else:
            kind = "consecutive"
    if kind == "points":
        return _by_points(group, config)
    if kind == "frustum":
        return _by_frustum(group, config)
    if kind == "all":
        return _Chosen(all_pairs(len(group.views)), "all pairs")
    return _one_after_the_other(group, config.step)


def _one_after_the_other(group: _Group, step: int) -> _Chosen:
    first = np.arange(max(len(group.views) - step, 0), dtype=np.int64)
    index = np.stack([first, first + step], axis=1)
    times = [view.time_s for view in group.views]
    known = np.array([np.nan if t is None else t for t in times])
    if np.isfinite(known).all():
        # Where the walk was interrupted, the next image is not the neighbour.
        gaps = np.abs(np.diff(known))
        breaks = np.concatenate([[0], np.cumsum(gaps > _BREAK * np.median(gaps))])
        index = index[breaks[index[:, 0]] == breaks[index[:, 1]]]
    words = "one image and the next" if step == 1 else f"images {step} frames apart"
    return _Chosen(index, words)


def _by_points(group: _Group, config: PairingConfig) -> _Chosen:
    index, shared, counts = shared_points(group.views)
    least = 0.1 if config.min_overlap is None else config.min_overlap
    share = shared / np.maximum(counts[index].max(axis=1, initial=1), 1)
    kept = share >= least
    words = f"sharing {least:.0%} of their 3D points or more"
    return _Chosen(index[kept], words, share[kept])


def _by_frustum(group: _Group, config: PairingConfig) -> _Chosen:
    known = [view.camera or view.assumed_camera for view in group.views]
    cameras = [camera for camera in known if camera is not None]
    if len(cameras) < len(group.views):
        raise InputError(
            "intrinsics are wanted for pairing by `frustum`, some images have none; pair by "
            "consecutive or all"
        )
    near, far = _planes(group, config)
    index = all_pairs(len(cameras))
    index = index[frusta_intersect(view_frusta(cameras, group.poses, near, far), index)]
    matrix = frustum_overlap(cameras, group.poses, near, far)
    share = np.minimum(matrix, matrix.T)[index[:, 0], index[:, 1]]
    # Planes that the caller gave are the criterion themselves (as the paper's are for DTU).
    least = config.min_overlap
    if least is None:
        least = 0.3 if config.near is None else 0.0
    words = f"views that meet between depths of {near.min():.3g} and {far.max():.3g}"
    words += f" and share {least:.0%} or more" if least else ""
    widest = 180.0 if config.near is not None else _WIDEST_DEG
    return _Chosen(index[share >= least], words, share[share >= least], widest)


def _planes(group: _Group, config: PairingConfig) -> tuple[Array, Array]:
    count = len(group.views)
    if config.near is not None and config.far is not None:
        return np.full(count, config.near), np.full(count, config.far)
    depth = common_depth(group.poses)
    if depth is None:
        raise InputError(
            "near and far are wanted for pairing by `frustum`, because the cameras do not look "
            "at one thing; give both, or pair by consecutive"
        )
    return _AROUND[0] * depth, _AROUND[1] * depth


def _pairs(group: _Group, chosen: _Chosen) -> list[ImagePair]:
    """Return the chosen pairs that are not turned too far against each other."""
    i, j = chosen.index.T
    b_from_a = relative_pose(group.poses[j], group.poses[i])
    turned = rotation_angle_deg(group.poses.q_wxyz[i], group.poses.q_wxyz[j])
    pairs = []
    for k in np.flatnonzero(turned <= chosen.max_angle_deg):
        a, b = group.views[i[k]], group.views[j[k]]
        overlap = None if chosen.overlap is None else float(chosen.overlap[k])
        pairs.append(
            ImagePair(
                a.image, b.image, b_from_a[int(k)], a.camera, b.camera, a.scene, a.split, overlap
            )
        )
    return pairs
