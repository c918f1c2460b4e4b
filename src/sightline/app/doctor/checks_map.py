"""Checks of the map: finished, whole, closed, in agreement with its frames."""

from __future__ import annotations

from collections import Counter

import numpy as np

from sightline.app.build import BUILD_TOML, BuildConfig
from sightline.app.doctor.examination import ALIGNMENT, Examination
from sightline.app.doctor.findings import Finding, graded, listed, share_of
from sightline.app.doctor.remedies import (
    align_again,
    build_anew,
    command,
    go_on,
    more_frames,
    next_quality,
    other_starts,
    sharper,
    without_masks,
)
from sightline.reconstruction import doctor
from sightline.reconstruction.agreement import DOUBTED_SHARE
from sightline.reconstruction.config import LOOP_GAP

#: Share of frames left out. A walk maps whole where all went well; with a fifth missing there are
#: stretches where a visitor cannot be placed, with half missing most of the building is.
LEFT_OUT_NOTE, LEFT_OUT_WARNING, LEFT_OUT_PROBLEM = 0.05, 0.2, 0.5
#: Frames in maps that are not used, as a share of all.
REJECTED_WARNING = 0.05
#: Median reprojection error of the frames, in pixels at a longer side of 1000. An observation may
#: be 2 px off (reconstruction.config); a map whose middle is half of that does not fit.
ERROR_PX, ERROR_PROBLEM_PX = 1.0, 2.0
#: A frame this many times worse than the median frame, and worse than half the bound, stands out.
ERROR_FACTOR = 3.0
#: Share of such frames that is more than a stray one.
STRAY_WARNING = 0.05
#: Gap at a return as a share of the walk between. A corridor of 45 m that was not closed drifts by
#: 10 cm, 0.2%; a closed one stays below. In metres a gap below 5 cm passes however short the walk.
GAP_SHARE, GAP_PROBLEM_SHARE, GAP_FINE_M = 0.002, 0.02, 0.05
#: The build refuses pairs that ask for a shift which no drift explains; where they are more than
#: this share of the pairs it could place, the map is doubted and not the pairs.
ASKING_SHARE = 0.5
_ASKS = "asks for a correction"
#: COLMAP takes a frame into the map on 30 points; with fewer left its pose is loose.
FEW_POINTS = doctor.FEW_MATCHES
#: With so many loose frames the map is a chain of guesses.
LOOSE_PROBLEM = 0.3


def check_build(exam: Examination) -> Finding:
    """Return whether a build was finished, and whether its files read."""
    if exam.damage:
        return _damaged(exam)
    if not exam.built_here and exam.model is not None:
        return Finding("build", "good", "poses and map came with the images")
    if not exam.built_here:
        return Finding(
            "build",
            "note",
            "poses came with the images: there is no map to check",
            advice="photos are placed by networks alone; a map of the same images refines them",
            fix=build_anew(exam, exam.config),
        )
    if exam.missing_stages:
        return Finding(
            "build",
            "problem",
            f"stopped before {exam.missing_stages[0]}",
            "every stage finished",
            f"finished stages are kept; {_as_before(exam)} goes on",
            go_on(exam),
        )
    if exam.model is None:
        return Finding(
            "build",
            "problem",
            "every stage finished, and there is no map",
            "a map",
            f"{_as_before(exam)} makes it or says why there is none",
            go_on(exam),
        )
    return Finding("build", "good", "every stage finished", "every stage finished")


def _damaged(exam: Examination) -> Finding:
    why = next(iter(exam.damage.values()))
    if set(exam.damage) == {ALIGNMENT}:
        advice, fix = "align again; the map itself is whole", align_again(exam)
    else:
        advice = "build the place again beside this one, or take the file from a copy"
        fix = build_anew(exam, exam.config)
    return Finding(
        "build",
        "problem",
        f"{len(exam.damage)} damaged: {listed(list(exam.damage))} ({why})",
        "every file reads",
        advice,
        fix,
    )


def _as_before(exam: Examination) -> str:
    if (exam.place.root / BUILD_TOML).is_file():
        return "the command it was begun with"
    return "the command it was begun with, with all its flags,"


def check_registered(exam: Examination) -> Finding:
    """Return how many frames have a pose, and why the others do not."""
    count, total = len(exam.posed), len(exam.frames)
    left = (total - count) / total
    severity = graded(left, note=LEFT_OUT_NOTE, warning=LEFT_OUT_WARNING, problem=LEFT_OUT_PROBLEM)
    if count < doctor.FEWEST_FRAMES:
        severity = "problem"
    out = tuple(f.image for f in exam.frames if f.world_from_cam is None)
    causes = Counter((exam.report.get("unregistered") or {}).values())
    advice, config = "", None
    if out:
        likely = causes.most_common(1)[0][0] if causes else ""
        says, config = _remedy(exam, likely)
        why = ", ".join(f"{cause}: {n}" for cause, n in causes.most_common())
        advice = f"{why}; {says}" if why else says
        if exam.model is not None and "second-look" not in exam.place.content.get("stages", {}):
            advice += f"; `{command('extend', exam.place.root)}` looks for them once more"
    return Finding(
        "frames in the map",
        severity,
        share_of(count, total),
        f"{100 * (1 - LEFT_OUT_NOTE):.0f}% or more",
        advice,
        build_anew(exam, config) if severity != "good" else "",
        left,
        LEFT_OUT_NOTE,
        out,
    )


def _remedy(exam: Examination, cause: str) -> tuple[str, BuildConfig | None]:
    if cause == doctor.BLUR:
        return "take sharp frames only", sharper(exam)
    if cause == doctor.TEXTURELESS:
        return "take more features, or turn the camera away from bare walls", next_quality(exam)
    if cause == doctor.MASKED:
        return (
            "mask less (the command masks nothing), or film when fewer people are about",
            without_masks(exam),
        )
    if cause == doctor.REJECTED:
        return "spend more on the map", next_quality(exam)
    return "take more frames, or walk slower", more_frames(exam)


def check_components(exam: Examination) -> Finding | None:
    """Return into how many maps the frames fell; None where none was made."""
    if not exam.models:
        return None
    others = exam.models[1:]
    # Maps overlap: what is in the chosen one too is not lost.
    lost = max(0, min(sum(others), len(exam.frames) - exam.models[0]))
    share = lost / len(exam.frames)
    severity = graded(share, note=0.0, warning=REJECTED_WARNING, problem=1.0)
    return Finding(
        "components",
        severity,
        f"maps of {_numbers(exam.models)} frames" if others else "one map",
        "no frame in another map than the largest",
        "the largest is used; film once more between the parts, or take more frames"
        if lost
        else "",
        build_anew(exam, more_frames(exam)) if lost else "",
        share,
        0.0,
    )


def scaled_errors_px(exam: Examination) -> dict[str, float]:
    """Return name -> median reprojection error in pixels of a picture not longer than 1000.

    An error means the same then in small and in large pictures.
    """
    if exam.model is None or exam.fit is None:
        return {}
    cameras = exam.model.cameras
    longest = {k: max(camera.width, camera.height) for k, camera in cameras.items()}
    return {
        name: error * min(1.0, 1000 / longest[exam.model.frames[name].camera_id])
        for name, error in zip(exam.fit.names, exam.fit.errors_px.tolist(), strict=True)
        if np.isfinite(error)
    }


def check_reprojection(exam: Examination) -> Finding | None:
    """Return how far map points lie from where frames see them; None without a map."""
    errors = scaled_errors_px(exam)
    if not errors:
        return None
    middle = float(np.median(list(errors.values())))
    bound = max(ERROR_FACTOR * middle, ERROR_PX / 2)
    worse = sorted((n for n, e in errors.items() if e > bound), key=lambda n: -errors[n])
    severity = graded(middle, note=ERROR_PX, warning=ERROR_PX, problem=ERROR_PROBLEM_PX)
    advice = "the map does not fit its pictures: check the intrinsics" if severity != "good" else ""
    if severity == "good" and worse:
        severity = "warning" if len(worse) > STRAY_WARNING * len(errors) else "note"
        advice = "frames that do not fit the map: moving things, blur, or poses that are wrong"
    stray = f"; {len(worse)} above {bound:.2f} px ({listed(worse)})" if worse else ""
    return Finding(
        "reprojection error",
        severity,
        f"median frame {middle:.2f} px, worst {max(errors.values()):.2f} px{stray}",
        f"median {ERROR_PX:g} px, each frame {ERROR_FACTOR:g} times the median",
        advice,
        build_anew(exam, next_quality(exam)) if severity != "good" else "",
        middle,
        ERROR_PX,
        tuple(worse),
    )


def check_agreement(exam: Examination) -> Finding | None:
    """Return what share of the matches the map explains; None where that was not measured."""
    agreement = exam.report.get("agreement") or {}
    if "share" not in agreement:
        return None
    doubted: dict[str, float] = agreement["doubted"]
    share = len(doubted) / max(int(exam.report["registered"]), 1)
    starts = len(exam.report.get("attempts") or [])
    worst = f"; {len(doubted)} frames below their bound ({listed(list(doubted))})"
    return Finding(
        "matches explained",
        graded(share, note=0.0, warning=STRAY_WARNING, problem=LOOSE_PROBLEM),
        f"{100 * agreement['share']:.1f}% of all"
        + (f", the best of {starts} starts" if starts > 1 else "")
        + (worst if doubted else ""),
        f"{100 * DOUBTED_SHARE:.0f}% of each frame's",
        "the map may be bent there, or more moves than stands still" if doubted else "",
        build_anew(exam, other_starts(exam)) if doubted else "",
        share,
        0.0,
        tuple(doubted),
    )


def check_points_seen(exam: Examination) -> Finding | None:
    """Return frames that hang on few points; None without a map."""
    if exam.fit is None:
        return None
    seen = exam.fit.observations
    few = np.flatnonzero(seen < FEW_POINTS)
    names = tuple(exam.fit.names[i] for i in few[np.argsort(seen[few], kind="stable")])
    share = len(few) / max(len(seen), 1)
    return Finding(
        "points seen",
        graded(share, note=0.0, warning=STRAY_WARNING, problem=LOOSE_PROBLEM),
        f"median {np.median(seen):.0f} map points a frame, fewest {seen.min()}"
        + (f" ({len(names)} frames below: {listed(names)})" if names else ""),
        f"{FEW_POINTS} in every frame",
        "their poses are loose; take more frames there, or more features" if names else "",
        build_anew(exam, next_quality(exam)) if names else "",
        share,
        0.0,
        names,
    )


def check_loop(exam: Examination) -> Finding | None:
    """Return the gap where the walk comes back to a spot; None without a map and times."""
    if exam.revisits is None:
        return None
    middle = exam.revisits.middle
    if middle is None:
        return _no_return(exam)
    scale, unit = (exam.scale, exam.unit) if exam.scale else (1.0, "map units")
    gap, path = middle.gap * scale, middle.path * scale
    share = gap / max(path, 1e-12)
    fine = unit == "m" and gap <= GAP_FINE_M
    severity = (
        "good"
        if fine
        else graded(share, note=GAP_SHARE, warning=GAP_SHARE, problem=GAP_PROBLEM_SHARE)
    )
    return Finding(
        "loop gap",
        severity,
        f"{gap:.3g} {unit} and {middle.turn_deg:.1f} deg after a way of {path:.3g} "
        f"({100 * share:.2f}%; {len(exam.revisits.gaps)} returns measured)",
        f"{100 * GAP_SHARE:g}% of the way" + (f", or {GAP_FINE_M:g} m" if unit == "m" else ""),
        "" if severity == "good" else "the map has what is one spot twice; more frames close it",
        "" if severity == "good" else build_anew(exam, more_frames(exam)),
        share,
        GAP_SHARE,
        () if severity == "good" else (middle.b, middle.a),
    )


def _no_return(exam: Examination) -> Finding:
    """Return what the build's own search for loops says where no return could be measured."""
    loops = exam.report.get("loops") or {}
    placed = [r for r in loops.get("candidates") or [] if _was_placed(str(r.get("reason", "")))]
    asking = [r for r in placed if str(r["reason"]).startswith(_ASKS)]
    # A wide pair of a good map asks for a shift now and then: on a video of a kitchen, mapped to
    # 4 cm, 6 of 95 did.
    if len(asking) > ASKING_SHARE * len(placed) and not loops.get("closed"):
        return Finding(
            "loop gap",
            "warning",
            f"{len(asking)} of {len(placed)} pairs look like one spot, which the map has far apart "
            f"({asking[0]['a']} and {asking[0]['b']} {asking[0]['reason']})",
            f"{100 * ASKING_SHARE:g}% of the pairs",
            "either the building repeats itself, or the walk returned and the map does not show it",
            build_anew(exam, more_frames(exam)),
            frames=(str(asking[0]["b"]), str(asking[0]["a"])),
        )
    few = len(exam.posed) <= LOOP_GAP
    return Finding(
        "loop gap",
        "note",
        f"not measured: {len(exam.posed)} frames are too few"
        if few
        else "not measured: the walk comes back to no spot",
        advice="" if few else "a walk that returns to its start shows its own drift",
    )


def _was_placed(reason: str) -> bool:
    """Return whether the build's search for loops found a pose for a pair (see ``loops``)."""
    return reason.startswith(_ASKS) or "neighbouring pairs" in reason


def _numbers(values: list[int]) -> str:
    return ", ".join(str(v) for v in values)
