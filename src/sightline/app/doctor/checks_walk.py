"""Checks of the walk: jumps, turns on the spot, little parallax, a camera on its side."""

from __future__ import annotations

import numpy as np

from sightline.app.doctor.examination import Examination, poses_of
from sightline.app.doctor.findings import Finding, graded, listed
from sightline.app.doctor.remedies import build_anew, more_frames, next_quality
from sightline.geometry import Pose
from sightline.reconstruction.diagnosis.trajectory import (
    JUMP_FACTOR,
    JUMP_TURN_DEG,
    SPOT_TURN_DEG,
    Jump,
    SpotTurn,
    find_jumps,
    find_spot_turns,
    lies_on_its_side,
    rolls_deg,
    steps_in_time,
    walk_normal,
)
from sightline.records import stack_poses

#: Share of the steps that may be jumps before the trajectory as a whole is not to be believed.
JUMPS_PROBLEM = 0.02
#: Median angle that points are seen under. Depth is uncertain by the inverse of this angle: at 2
#: degrees a pixel of a phone's picture (0.06 deg) is 3% of the depth, at 1 degree 6%.
ANGLE_DEG, ANGLE_PROBLEM_DEG = 2.0, 1.0
#: A camera held by hand rolls by a few degrees; from here on it was held otherwise.
ROLL_NOTE_DEG, ROLL_SIDE_DEG = 20.0, 60.0


def jumps_of(exam: Examination) -> list[tuple[Jump, str, str]]:
    """Return the jumps with the names of the frames before and after."""
    frames = exam.timed
    if len(frames) < 2:
        return []
    poses, seconds = poses_of(frames)
    found = find_jumps(poses, steps_in_time(poses, seconds))
    return [(j, frames[j.a].image, frames[j.b].image) for j in found]


def spot_turns_of(exam: Examination) -> list[tuple[SpotTurn, str, str]]:
    """Return the turns on the spot with their first and last frames; none without a map."""
    model, fit = exam.model, exam.fit
    if model is None or fit is None:
        return []
    depth = dict(zip(fit.names, fit.depths.tolist(), strict=True))
    names = [f.image for f in exam.timed if np.isfinite(depth.get(f.image, np.nan))]
    if len(names) < 2:
        return []
    poses = Pose.stack([model.frames[name].world_from_cam for name in names])
    found = find_spot_turns(poses, np.array([max(depth[name], 1e-9) for name in names]))
    return [(t, names[t.a], names[t.b]) for t in found]


def check_jumps(exam: Examination) -> Finding | None:
    """Return where the trajectory leaps; None where there are no two poses."""
    if len(exam.posed) < 2:
        return None
    if not exam.timed:
        return Finding("jumps", "note", "not measured: photos have no order in time")
    jumps = jumps_of(exam)
    steps = len(exam.timed) - 1
    if not jumps:
        bound = f"{JUMP_FACTOR:g} times the speed around it, {JUMP_TURN_DEG:g} deg a step"
        return Finding("jumps", "good", f"none in {steps} steps", bound, value=0.0, limit=0.0)
    breaks = [j for j, _, _ in jumps if j.lone is None]
    share = len(jumps) / steps
    # Where the walk goes on from the new place, everything after it may be off.
    problem = bool(breaks) or share > JUMPS_PROBLEM
    worst = max(jumps, key=lambda found: found[0].times)
    names = tuple(
        exam.timed[j.lone].image if j.lone is not None else b
        for j, _, b in sorted(jumps, key=lambda found: -found[0].times)
    )
    how = f"{worst[0].times:.0f} times the speed around it, {worst[0].turn_deg:.0f} deg"
    return Finding(
        "jumps",
        "problem" if problem else "warning",
        f"{len(jumps)} in {steps} steps, {len(breaks)} with no way back; worst from {worst[1]} to "
        f"{worst[2]}: {how}",
        f"{JUMP_FACTOR:g} times the speed around it, {JUMP_TURN_DEG:g} deg a step",
        "these poses are wrong, or the video was cut there"
        if not breaks
        else "the two sides of a jump may be put together wrongly, or the video was cut there",
        build_anew(exam, more_frames(exam)),
        share,
        0.0,
        names,
    )


def check_rotation(exam: Examination) -> Finding | None:
    """Return turns on the spot; None without a map."""
    if exam.fit is None or not exam.timed:
        return None
    turns = spot_turns_of(exam)
    bound = f"{SPOT_TURN_DEG:g} deg only while moving"
    if not turns:
        return Finding("turns on the spot", "good", "none", bound, value=0.0, limit=0.0)
    worst = max(turns, key=lambda found: found[0].turn_deg)
    inside = sum(t.b - t.a for t, _, _ in turns) / max(len(exam.timed) - 1, 1)
    return Finding(
        "turns on the spot",
        "warning" if inside > 0.25 else "note",
        f"{len(turns)}, {100 * inside:.0f}% of the walk; most: {worst[0].turn_deg:.0f} deg from "
        f"{worst[1]} to {worst[2]}",
        bound,
        "what is seen only while turning has no depth; walk in a curve, or step aside as you turn",
        build_anew(exam, more_frames(exam)) if inside > 0.25 else "",
        inside,
        0.0,
        tuple(name for _, a, b in turns for name in (a, b)),
    )


def check_parallax(exam: Examination) -> Finding | None:
    """Return under what angle points are seen; None without a map."""
    if exam.fit is None or not len(exam.fit.angles_deg):
        return None
    middle = float(np.median(exam.fit.angles_deg))
    severity = graded(-middle, note=-ANGLE_DEG, warning=-ANGLE_DEG, problem=-ANGLE_PROBLEM_DEG)
    return Finding(
        "parallax",
        severity,
        f"median angle {middle:.1f} deg over {len(exam.fit.angles_deg)} points",
        f"{ANGLE_DEG:g} deg or more",
        "" if severity == "good" else "depths are loose; move sideways while filming",
        "" if severity == "good" else build_anew(exam, next_quality(exam)),
        middle,
        ANGLE_DEG,
    )


def check_upright(exam: Examination) -> Finding | None:
    """Return whether the pictures stand upright; None where nothing tells up."""
    posed = exam.posed
    if not posed:
        return None
    poses = stack_poses(posed)
    # Every other cue starts from the cameras themselves, so it cannot tell that they lie down.
    if exam.alignment.get("up_from") == "control points":
        rolls = np.abs(rolls_deg(poses, np.array([0.0, 0.0, 1.0])))
        middle = float(np.median(rolls))
        odd = np.flatnonzero(rolls > ROLL_SIDE_DEG)
        severity = graded(middle, note=ROLL_NOTE_DEG, warning=ROLL_SIDE_DEG, problem=float("inf"))
        if severity == "good" and len(odd):
            severity = "note"
        names = tuple(posed[i].image for i in odd[np.argsort(-rolls[odd])])
        side = middle > ROLL_SIDE_DEG
        return Finding(
            "upright",
            severity,
            f"median roll {middle:.0f} deg"
            + (f"; {len(names)} frames on their side ({listed(names)})" if names else ""),
            f"{ROLL_NOTE_DEG:g} deg",
            _TURNED if side else "",
            _turn_command(exam) if side else "",
            middle,
            ROLL_NOTE_DEG,
            names,
        )
    normal = walk_normal(poses.translation)
    if normal is None:
        return Finding(
            "upright", "note", "not measured: neither control points nor the walk tell up"
        )
    side = lies_on_its_side(poses, normal)
    return Finding(
        "upright",
        "warning" if side else "good",
        "the walk's floor stands upright in the pictures"
        if side
        else "the walk's floor lies level in the pictures",
        "level",
        _TURNED if side else "",
        _turn_command(exam) if side else "",
    )


_TURNED = (
    "the video lies on its side, and up is taken from the cameras: turn it (90, or -90 where it "
    "lies on the other side) and build of what comes out"
)


def _turn_command(exam: Examination) -> str:
    import shlex

    if not exam.of_video:
        return ""
    source = str(exam.place.content.get("source", "VIDEO"))
    return shlex.join(
        ["ffmpeg", "-display_rotation", "90", "-i", source, "-c", "copy", "turned.mp4"]
    )
