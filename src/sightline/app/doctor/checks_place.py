"""Checks of what was made of a map: scale, alignment, parts, intrinsics."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sightline.app.doctor.examination import Examination
from sightline.app.doctor.findings import SEVERITIES, Finding, Severity, graded, listed, share_of
from sightline.app.doctor.remedies import align_again, command, with_intrinsics
from sightline.geometry import Camera
from sightline.records import stack_poses
from sightline.records.splits import LEAK_DISTANCE_M, nearest_train_distance

#: Root mean square of an alignment's residuals in metres: tape and plan are good to a few
#: centimetres; beyond a quarter of a metre a control point is wrong.
RESIDUAL_M, RESIDUAL_PROBLEM_M = 0.1, 0.25
#: A pose of poses.csv may differ from the map's by rounding only: nine digits are written.
OFF_MAP_SHARE = 1e-4
#: Test frames nearer in time to a training frame than this are its neighbours, in seconds; photos
#: without times are neighbours where they follow each other in the list.
NEIGHBOUR_S = 1.0
LEAK_SHARE = 0.05
#: Focal length over the longer side. Phones and cameras lie from 0.5 (90 degrees) to 2.5 (23
#: degrees); outside 0.25 and 5 localisation refuses the camera altogether.
FOCAL_LOW, FOCAL_HIGH, FOCAL_LOWEST, FOCAL_HIGHEST = 0.5, 2.5, 0.25, 5.0
#: Principal point off the middle, over the longer side; lenses are centred to a few hundredths.
CENTRE_SHARE = 0.1


def check_scale(exam: Examination) -> Finding:
    """Return whether the place is in metres, and how well its alignment fits."""
    alignment = exam.alignment
    if exam.place.unit != "m":
        ends = _farthest_apart(exam) or ("FRAME_A", "FRAME_B")
        return Finding(
            "scale",
            "note",
            "not known: lengths are in map units",
            "metres",
            "measure the way between two frames, or give control points (docs/aligning.md); "
            "put the metres for METRES",
            command("align", exam.place.root, "--distance", *ends, "METRES"),
        )
    rms = alignment.get("residual_rms")
    method = alignment.get("method", "the data set's own poses")
    if not isinstance(rms, (int, float)) or not np.isfinite(rms):
        return Finding("scale", "good", f"metres, by {method}", "metres")
    severity = graded(float(rms), note=RESIDUAL_M, warning=RESIDUAL_M, problem=RESIDUAL_PROBLEM_M)
    residuals = alignment.get("residuals")
    residuals = [r for r in residuals if isinstance(r, dict)] if isinstance(residuals, list) else []
    left = [str(r.get("label")) for r in residuals if not r.get("used", True)]
    if severity == "good" and left:
        severity = "note"
    return Finding(
        "scale",
        severity,
        f"metres, by {method}, residuals {rms:.3f} m"
        + (f"; left out: {listed(left)}" if left else ""),
        f"{RESIDUAL_M:g} m",
        "" if severity == "good" else "check these control points and align again",
        "" if severity == "good" else align_again(exam),
        float(rms),
        RESIDUAL_M,
    )


def _farthest_apart(exam: Examination) -> tuple[str, str] | None:
    """Return two frames as far apart as any, about: a long way is measured best."""
    if len(exam.posed) < 2:
        return None
    centres = stack_poses(exam.posed).translation
    a = int(np.linalg.norm(centres - centres.mean(axis=0), axis=1).argmax())
    b = int(np.linalg.norm(centres - centres[a], axis=1).argmax())
    first, last = sorted((a, b))
    return exam.posed[first].image, exam.posed[last].image


def check_poses_fit_map(exam: Examination) -> Finding | None:
    """Return whether poses.csv belongs to the map and its alignment; None without a map."""
    if exam.model is None or not exam.posed:
        return None
    again = align_again(exam)
    if exam.scale is None:
        return Finding("poses and map", "note", "not measured: the alignment does not read")
    if exam.map_changed:
        return Finding(
            "poses and map",
            "problem",
            "the alignment belongs to another map than the one that lies there",
            "the same map",
            "localisation would answer in a wrong frame; align again",
            again,
        )
    centres = stack_poses(exam.posed).translation
    extent = float(np.linalg.norm(np.ptp(centres, axis=0))) or 1.0
    bound = OFF_MAP_SHARE * extent
    off = sorted((n for n, d in exam.off_map.items() if d > bound), key=lambda n: -exam.off_map[n])
    strangers = [f.image for f in exam.posed if f.image not in exam.model.frames]
    if off or strangers:
        worst = exam.off_map[off[0]] if off else 0.0
        return Finding(
            "poses and map",
            "problem",
            f"{len(off) + len(strangers)} poses of poses.csv are not the map's "
            f"({listed(off + strangers)}), up to {worst:.3g} {exam.unit} off",
            f"{bound:.2g} {exam.unit}",
            "the file was changed by hand; aligning again writes the map's poses",
            again,
            worst,
            bound,
            tuple(off + strangers),
        )
    return Finding("poses and map", "good", "poses.csv is the map's", f"{bound:.2g} {exam.unit}")


def check_splits(exam: Examination) -> Finding | None:
    """Return whether test frames are neighbours of training frames; None without poses."""
    if not exam.posed:
        return None
    parts = {s: [f for f in exam.posed if f.split == s] for s in ("train", "test")}
    if not any(f.split for f in exam.posed):
        return Finding(
            "split",
            "note",
            "none: nothing can be trained or scored yet",
            fix=command("split", exam.place.root, "block"),
        )
    if not parts["train"] or not parts["test"]:
        missing = "train" if not parts["train"] else "test"
        method = exam.place.content.get("split")
        return Finding(
            "split",
            "good" if method == "second-walk" and missing == "test" else "note",
            f"{len(parts['train'])} training frames, {len(parts['test'])} test frames",
            advice="score on a second walk" if missing == "test" else "no frame to train on",
            fix="" if missing == "test" else command("split", exam.place.root, "block"),
        )
    leaking = _neighbours_across(exam)
    share = len(leaking) / len(parts["test"])
    near = float(
        np.median(nearest_train_distance(stack_poses(parts["train"]), stack_poses(parts["test"])))
    )
    severity = graded(share, note=0.0, warning=LEAK_SHARE, problem=float("inf"))
    same_spot = exam.place.unit == "m" and near < LEAK_DISTANCE_M
    if severity == "good" and same_spot:
        severity = "note"
    measured = (
        f"{share_of(len(leaking), len(parts['test']))} test frames are neighbours of a training "
        f"frame; median {near:.2f} {exam.unit} to the nearest"
    )
    return Finding(
        "split",
        severity,
        measured,
        f"{100 * LEAK_SHARE:g}% within {NEIGHBOUR_S:g} s"
        + (f", median {LEAK_DISTANCE_M:g} m" if exam.place.unit == "m" else ""),
        ""
        if severity == "good"
        else "a score on these parts measures interpolation, not "
        "localisation; keep stretches of the walk apart, or score on a second walk",
        "" if severity == "good" else _splitting(exam, share),
        share,
        LEAK_SHARE,
        tuple(leaking),
    )


def _splitting(exam: Examination, share: float) -> str:
    """Return the command that divides a place better; none for parts that came with the data."""
    if exam.place.content.get("split") is None:
        return ""
    if share > 0:
        return command("split", exam.place.root, "block")
    return command("split", exam.place.root, "second-walk") if exam.place.added else ""


def _neighbours_across(exam: Examination) -> list[str]:
    """Return the test frames that have a training frame within a second of them.

    Photos without times: those that stand beside a training frame in the list.
    """
    found: list[str] = []
    for walk in exam.recordings():
        train, test = ([f for f in walk if f.split == part] for part in ("train", "test"))
        trained_s = np.array([f.timestamp_s for f in train], dtype=np.float64)
        for frame in test:
            apart = np.abs(trained_s - (frame.timestamp_s or 0.0))
            if apart.min(initial=np.inf) <= NEIGHBOUR_S:
                found.append(frame.image)
    if exam.timed:
        return found
    frames = exam.posed
    return [
        frame.image
        for i, frame in enumerate(frames)
        if frame.split == "test"
        and any(f.split == "train" for f in (*frames[max(i - 1, 0) : i], *frames[i + 1 : i + 2]))
    ]


def check_intrinsics(exam: Examination) -> Finding | None:
    """Return whether the cameras are ones that lenses make; None where none is known."""
    cameras = _cameras(exam)
    if not cameras:
        return None
    kinds = list(dict.fromkeys(cameras.values()))
    faults = {camera: _faults(camera) for camera in kinds}
    said = [fault for camera in kinds for fault in faults[camera]]
    sizes = _wrong_sizes(exam, cameras)
    said += [("problem", why) for why in sizes.values()]
    first = kinds[0]
    focal = first.fx / max(first.width, first.height)
    angle = 2 * np.rad2deg(np.arctan2(max(first.width, first.height) / 2, first.fx))
    measured = f"focal length {first.fx:.0f} px ({focal:.2f} of the longer side, {angle:.0f} deg)"
    if len(kinds) > 1:
        measured += f", the first of {len(kinds)} cameras"
    reasons = list(dict.fromkeys(why for _, why in said))
    more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    return Finding(
        "intrinsics",
        max((severity for severity, _ in said), key=SEVERITIES.index, default="good"),
        measured + (f"; {'; '.join(reasons[:3])}{more}" if reasons else ""),
        f"{FOCAL_LOW:g} to {FOCAL_HIGH:g} of the longer side, centred",
        "calibrate the camera and give what was measured for the words in capitals, in pixels of "
        f"the frames ({first.width}x{first.height}); a walk with turns and near things fixes them "
        "too"
        if said
        else "",
        with_intrinsics(exam) if said else "",
        focal,
        None,
        tuple(name for name, camera in cameras.items() if faults[camera] or name in sizes),
    )


def _cameras(exam: Examination) -> dict[str, Camera]:
    """Return name -> camera: the map's, else what the place names."""
    if exam.model is None:
        return exam.cameras
    return {f.name: exam.model.cameras[f.camera_id] for f in exam.model.frames.values()}


def _faults(camera: Camera) -> list[tuple[Severity, str]]:
    longer = max(camera.width, camera.height)
    faults: list[tuple[Severity, str]] = []
    for focal in {camera.fx, camera.fy}:
        share = focal / longer
        if not FOCAL_LOWEST < share < FOCAL_HIGHEST:
            faults.append(("problem", f"a focal length of {share:.2f} is no lens's"))
        elif not FOCAL_LOW <= share <= FOCAL_HIGH:
            faults.append(("warning", f"a focal length of {share:.2f} is a rare lens's"))
    off = np.hypot(camera.cx - (camera.width - 1) / 2, camera.cy - (camera.height - 1) / 2)
    if off > CENTRE_SHARE * longer:
        faults.append(("warning", f"the principal point is {off:.0f} px off the middle"))
    corners = [(0.0, 0.0), (camera.width - 1.0, 0.0), (0.0, camera.height - 1.0),
               (camera.width - 1.0, camera.height - 1.0)]  # fmt: skip
    if np.isnan(camera.unproject(corners)).any():
        faults.append(("problem", "the distortion folds the corners over"))
    return faults


def _wrong_sizes(exam: Examination, cameras: Mapping[str, Camera]) -> dict[str, str]:
    """Return name -> what is wrong, for pictures that are not of their camera's size."""
    return {
        name: f"{name} is {picture.width}x{picture.height}, its camera "
        f"{camera.width}x{camera.height}"
        for name, camera in cameras.items()
        if (picture := exam.pictures.get(name))
        and (picture.width, picture.height) != (camera.width, camera.height)
    }
