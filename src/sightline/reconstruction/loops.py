"""Loop closing that is believed only after verification; runs in the worker process.

Pairs that look alike are cheap and often wrong: door frames and letters repeat. A pair is believed
when its matches give a pose (PnP on the other side's points), when they lie all over what both
frames should see by that pose (one picture on two walls does not), when drift over the path between
the two frames can explain the correction that pose asks for, and when neighbouring pairs ask for
the same correction. Frames just before and after must see the place too: where two places look
alike, they differ beyond. Then the correction is spread over the path, the tracks of both sides are
merged and everything is adjusted; the result is kept only if the map did not get worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Pose
from sightline.geometry.rotation import rotation_angle_deg
from sightline.reconstruction.config import LOOP_GAP
from sightline.reconstruction.database import inlier_matches, open_database
from sightline.reconstruction.loop_bundle import LoopMatch, apply_loops
from sightline.reconstruction.loop_evidence import (
    MIN_COVERED,
    WINDOW,
    covered_share,
    denied,
    probes,
)
from sightline.reconstruction.retrieval import PlaceVocabulary, similar
from sightline.reconstruction.stages import Report, match_listed_pairs
from sightline.records.colmap import (
    MapModel,
    estimate_absolute_pose,
    model_from_colmap,
    read_reconstruction,
)

if TYPE_CHECKING:
    import pycolmap

CANDIDATES_PER_FRAME = 5
#: Drift of a sequential map, as a share of the path walked between the two frames.
DRIFT_SHARE = 0.03
DRIFT_DEG = 8.0
#: How far two neighbours' corrections may differ: a share of the drift bound, and degrees.
AGREEMENT_SHARE = 0.15
AGREEMENT_DEG = 2.0
NEIGHBOURHOOD = 6
MIN_SUPPORT = 3
MIN_SUPPORT_SHARE = 0.6
MIN_INLIERS = 20
#: A pair's pose may fit its matches this much worse than the map fits its own.
POSE_ERROR_FACTOR = 2.0
#: Frames that look in directions farther apart than this share too little.
MAX_TURN_DEG = 45.0
SAMPLE_PER_FRAME = 300


@dataclass
class Candidate:
    """A pair of frames that may show the same place.

    Attributes:
        a: Row of the earlier frame.
        b: Row of the later frame.
        similarity: Of their appearance; None where only the map put them together.
        bound: Largest shift that drift over the path between them explains, in map units.
        reason: Why it is not believed; empty while it still may be.
        match: Its matches, once verified.
        correction: Map frame around ``a`` from map frame around ``b``.
    """

    a: int
    b: int
    similarity: float | None
    bound: float
    reason: str = ""
    match: LoopMatch | None = None
    correction: Pose | None = field(default=None, repr=False)


def close_loops(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Write the map with its loops closed, or as it was, into ``output``; tell what was believed.

    Args:
        request: ``database`` (a scratch copy), ``model``, ``output``, ``names`` (all frames in
            order of time), ``refine_intrinsics``, ``max_error_px``, ``threads``, ``seed``.
        report: Progress.
    """
    import pycolmap

    pycolmap.set_random_seed(request["seed"])
    reconstruction = read_reconstruction(request["model"])
    model = model_from_colmap(reconstruction)
    names = [name for name in request["names"] if name in model.frames]
    report("closing loops", 0.05)
    database_path = Path(request["database"])
    with open_database(database_path) as database:
        matched = _matched_pairs(database, names)
        candidates = find_candidates(
            model, names, appearance_of(database, names, request["seed"]), matched
        )
    report("closing loops", 0.2)
    _match(candidates, names, database_path, request)
    report("closing loops", 0.4)
    with open_database(database_path) as database:
        ids = {image.name: image.image_id for image in database.read_all_images()}
        for c in candidates:
            if not c.reason:
                matches = inlier_matches(database, ids[names[c.a]], ids[names[c.b]])
                verify(c, model, names, matches, max_error_px=request["max_error_px"])
    believe(candidates, model, names)
    report("closing loops", 0.5)
    _ask_around(candidates, model, names, database_path, request)
    report("closing loops", 0.6)
    believed = [c.match for c in candidates if not c.reason and c.match is not None]
    if believed:
        outcome = apply_loops(
            reconstruction,
            model,
            names,
            believed,
            matched=matched,
            refine_intrinsics=request["refine_intrinsics"],
            max_error_px=request["max_error_px"],
        )
    else:
        outcome = {"closed": False, "reason": _no_loop(candidates)}
    if not outcome["closed"]:
        reconstruction = read_reconstruction(request["model"])
    output = Path(request["output"])
    output.mkdir()
    reconstruction.write_binary(str(output))
    report("closing loops", 1.0)
    return {**outcome, "believed": len(believed), "candidates": _rows(candidates, names)}


def find_candidates(
    model: MapModel,
    names: list[str],
    appearance: NDArray[np.float32],
    matched: dict[tuple[int, int], int],
) -> list[Candidate]:
    """Return pairs far apart in time that look alike or that the map itself puts together.

    Args:
        model: The sequential map.
        names: N registered frames in order of time.
        appearance: (N, D) descriptions.
        matched: Pairs of rows (a < b) the map already uses.
    """
    poses = Pose.stack([model.frames[name].world_from_cam for name in names])
    path = np.r_[0.0, np.linalg.norm(np.diff(poses.translation, axis=0), axis=-1).cumsum()]
    depth = typical_depth(model, names)
    forward = poses.rotation_matrix[..., 2]
    candidates = []
    for b in range(LOOP_GAP, len(names)):
        earlier = np.array([a for a in range(b - LOOP_GAP + 1) if (a, b) not in matched], int)
        if len(earlier) == 0:
            continue
        apart = np.linalg.norm(poses.translation[earlier] - poses.translation[b], axis=-1)
        order, scores = similar(appearance[b : b + 1], appearance[earlier], CANDIDATES_PER_FRAME)
        alike = dict(zip(order[0].tolist(), scores[0].tolist(), strict=True))
        facing = np.flatnonzero(forward[earlier] @ forward[b] > np.cos(np.deg2rad(MAX_TURN_DEG)))
        near = facing[np.argsort(apart[facing], kind="stable")[:CANDIDATES_PER_FRAME]]
        for row in sorted({*alike, *near.tolist()}):
            a = int(earlier[row])
            bound = DRIFT_SHARE * float(path[b] - path[a])
            candidate = Candidate(a, b, alike.get(row), bound)
            if apart[row] > bound + depth:
                candidate.reason = "the map puts them too far apart for drift to explain"
            candidates.append(candidate)
    return candidates


def verify(
    candidate: Candidate,
    model: MapModel,
    names: list[str],
    matches: NDArray[np.int64],
    *,
    max_error_px: float,
) -> None:
    """Ask what correction a pair's matches want; note the reason where they want none.

    Args:
        candidate: Gets its ``match`` and ``correction``, or its ``reason``.
        model: The sequential map.
        names: As in :func:`find_candidates`.
        matches: (K, 2) verified matches, keypoint rows of frame ``a`` and of frame ``b``.
        max_error_px: Largest reprojection error in the map.
    """
    a, b = model.frames[names[candidate.a]], model.frames[names[candidate.b]]
    matches = matches[a.point_ids[matches[:, 0]] >= 0]
    if len(matches) < MIN_INLIERS:
        candidate.reason = f"{len(matches)} verified matches to map points, {MIN_INLIERS} wanted"
        return
    rows = np.searchsorted(model.point_ids, a.point_ids[matches[:, 0]])
    camera = model.cameras[b.camera_id]
    found = estimate_absolute_pose(
        b.keypoints_px[matches[:, 1]],
        model.points[rows],
        camera,
        max_error_px=POSE_ERROR_FACTOR * max_error_px,
        min_inliers=MIN_INLIERS,
    )
    if found is None:
        candidate.reason = "the matches give no pose"
        return
    points = model.points[np.searchsorted(model.point_ids, a.point_ids[a.point_ids >= 0])]
    covered = covered_share(found, points, b.keypoints_px[matches[found.inliers, 1]])
    if covered < MIN_COVERED:
        candidate.reason = (
            f"its matches lie in {100 * covered:.0f}% of what both should see, "
            f"{100 * MIN_COVERED:.0f}% wanted"
        )
        return
    candidate.correction = found.world_from_cam @ b.world_from_cam.inverse()
    shift = float(np.linalg.norm(found.world_from_cam.translation - b.world_from_cam.translation))
    turn_deg = float(rotation_angle_deg(found.world_from_cam.q_wxyz, b.world_from_cam.q_wxyz))
    if shift > candidate.bound or turn_deg > DRIFT_DEG:
        candidate.reason = (
            f"asks for a correction of {shift:.3g} and {turn_deg:.1f} deg; drift explains "
            f"{candidate.bound:.3g} and {DRIFT_DEG:g} deg"
        )
        return
    candidate.match = LoopMatch(
        candidate.a, candidate.b, matches[found.inliers], found.world_from_cam
    )


def believe(candidates: list[Candidate], model: MapModel, names: list[str]) -> None:
    """Note a reason on every verified pair whose neighbours do not ask for the same correction."""
    asking = [c for c in candidates if c.correction is not None]
    reasons: dict[int, str] = {}
    for c in asking:
        if c.reason:
            continue
        centre = model.frames[names[c.b]].world_from_cam
        around = [
            o
            for o in asking
            if o is not c and abs(o.a - c.a) <= NEIGHBOURHOOD and abs(o.b - c.b) <= NEIGHBOURHOOD
        ]
        within = AGREEMENT_SHARE * c.bound
        agreeing = sum(_agree(c, o, centre, within, AGREEMENT_DEG) for o in around)
        if agreeing < MIN_SUPPORT or agreeing < MIN_SUPPORT_SHARE * len(around):
            reasons[id(c)] = f"{agreeing} of {len(around)} neighbouring pairs agree"
    for c in asking:
        c.reason = reasons.get(id(c), c.reason)


def _ask_around(
    candidates: list[Candidate],
    model: MapModel,
    names: list[str],
    database_path: Path,
    request: dict[str, Any],
) -> None:
    """Note a reason on the believed pairs that frames about them speak against."""
    believed = [c for c in candidates if not c.reason]
    asked = {c.b: c.correction for c in believed if c.correction is not None}
    if not asked:
        return
    tried = asking(probes(model, names, asked), believed)
    _match(tried, names, database_path, request)
    with open_database(database_path) as database:
        ids = {image.name: image.image_id for image in database.read_all_images()}
        for c in tried:
            matches = inlier_matches(database, ids[names[c.a]], ids[names[c.b]])
            verify(c, model, names, matches, max_error_px=request["max_error_px"])
    doubted = denied(list(asked), sees_the_loop(tried, believed, model, names))
    for c in believed:
        if c.b in doubted:
            c.reason = "frames beside it should see the same place too, and do not"


def asking(probed: Mapping[int, Sequence[int]], believed: list[Candidate]) -> list[Candidate]:
    """Return the pairs to try, each with the drift bound of the believed pair nearest in time.

    Args:
        probed: Row of a later frame -> rows of the earlier frames to try it with.
        believed: One or more believed pairs, of any number of loops.
    """
    rows = np.array([c.b for c in believed])
    nearest = {b: believed[int(np.abs(rows - b).argmin())] for b in probed}
    return [Candidate(a, b, None, nearest[b].bound) for b, row in probed.items() for a in row]


def sees_the_loop(
    tried: list[Candidate], believed: list[Candidate], model: MapModel, names: list[str]
) -> dict[int, bool]:
    """Return whether each probed frame asks for the correction of a believed pair near it.

    Roughly: what matters is that it sees the place at all, not how well its pose is known.
    """
    seen: dict[int, bool] = {}
    for c in tried:
        centre = model.frames[names[c.b]].world_from_cam
        near = [o for o in believed if abs(o.b - c.b) <= WINDOW]
        seen[c.b] = seen.get(c.b, False) or any(
            _agree(c, o, centre, c.bound, DRIFT_DEG) for o in near
        )
    return seen


def _agree(c: Candidate, other: Candidate, centre: Pose, within: float, within_deg: float) -> bool:
    if c.correction is None or other.correction is None:
        return False
    one, two = c.correction @ centre, other.correction @ centre
    apart = float(np.linalg.norm(one.translation - two.translation))
    turn_deg = float(rotation_angle_deg(one.q_wxyz, two.q_wxyz))
    return apart <= within and turn_deg <= within_deg


def typical_depth(model: MapModel, names: list[str]) -> float:
    """Return the median depth of what frames of a map see, in its unit."""
    depths = []
    for name in names:
        frame = model.frames[name]
        rows = np.searchsorted(model.point_ids, frame.point_ids[frame.point_ids >= 0])
        depths.append(frame.world_from_cam.inverse().apply(model.points[rows])[:, 2])
    return float(np.median(np.concatenate(depths)))


def _matched_pairs(database: pycolmap.Database, names: list[str]) -> dict[tuple[int, int], int]:
    """Return the verified pairs of rows (a < b) with their number of matches."""
    import pycolmap

    row = {name: i for i, name in enumerate(names)}
    rows = {
        image.image_id: row[image.name] for image in database.read_all_images() if image.name in row
    }
    pair_ids, inliers = database.read_two_view_geometry_num_inliers()
    found = {}
    for pair_id, count in zip(pair_ids, inliers, strict=True):
        first, second = pycolmap.pair_id_to_image_pair(pair_id)
        if count > 0 and first in rows and second in rows:
            a, b = sorted((rows[first], rows[second]))
            found[a, b] = int(count)
    return found


def appearance_of(database: pycolmap.Database, names: list[str], seed: int) -> NDArray[np.float32]:
    """Return (N, D) descriptions of what frames look like, by a vocabulary of their own."""
    ids = {image.name: image.image_id for image in database.read_all_images()}
    descriptors = [
        np.asarray(database.read_descriptors(ids[name]).data, dtype=np.uint8).reshape(-1, 128)
        for name in names
    ]
    sample = np.concatenate([d[:: max(1, len(d) // SAMPLE_PER_FRAME)] for d in descriptors])
    vocabulary = PlaceVocabulary.fit(sample, seed=seed)
    return np.stack([vocabulary.describe(d) for d in descriptors])


def _match(
    candidates: list[Candidate], names: list[str], database: Path, request: dict[str, Any]
) -> None:
    lines = [f"{names[c.a]} {names[c.b]}\n" for c in candidates if not c.reason]
    if not lines:
        return
    pairs_path = database.with_name("loop-pairs.txt")
    pairs_path.write_text("".join(lines), encoding="utf-8")
    match_listed_pairs(database, pairs_path, request["threads"], request["seed"])


def _no_loop(candidates: list[Candidate]) -> str:
    if not candidates:
        return "no two frames far apart in time were left to compare"
    return f"none of {len(candidates)} candidates passed verification"


def _rows(candidates: list[Candidate], names: list[str]) -> list[dict[str, Any]]:
    return [
        {
            "a": names[c.a],
            "b": names[c.b],
            "similarity": None if c.similarity is None else round(c.similarity, 4),
            "inliers": 0 if c.match is None else len(c.match.matches),
            "believed": not c.reason,
            "reason": c.reason or "neighbouring pairs ask for the same correction",
        }
        for c in candidates
    ]
