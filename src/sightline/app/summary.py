"""What a person reads after a build."""

from __future__ import annotations

from collections import Counter

from sightline.app.extend import Extension
from sightline.app.frame_gate import LEFT_OUT, describe_left_out, read_left_out
from sightline.app.masks import describe_masks
from sightline.reconstruction.pipeline import read_report
from sightline.records import Place


def describe_reconstruction(place: Place) -> str:
    """Return a few lines about a place's reconstruction: what registered, and why the rest did not.

    Raises:
        PlaceError: The place is not reconstructed yet.
    """
    report = read_report(place)
    lines = [
        f"{report.registered} of {report.frames} frames registered, {report.points} points, "
        f"reprojection error {report.mean_reprojection_error_px:.2f} px, "
        f"track length {report.mean_track_length:.1f}"
    ]
    if len(report.models) > 1:
        others = ", ".join(str(n) for n in report.models[1:])
        lines.append(f"{len(report.models)} models; the largest is used, others have {others}")
    if report.loops:
        closed = "closed" if report.loops.get("closed") else "not closed"
        lines.append(f"loops: {closed} ({report.loops.get('reason', '')})")
    for cause, count in Counter(report.unregistered.values()).most_common():
        names = [name for name, why in report.unregistered.items() if why == cause]
        shown = ", ".join(names[:5]) + (" ..." if count > 5 else "")
        lines.append(f"  not registered, {cause}: {count} ({shown})")
    lines += [f"  hint: {hint}" for hint in report.hints]
    return "\n".join(lines)


def describe_extension(place: Place, found: Extension) -> str:
    """Return what was added to a place's map, and why the rest was not."""
    if not found.asked:
        return "every frame is in the map already"
    lens = "" if found.same_lens else ", filmed with another lens (its intrinsics: cameras.csv)"
    lines = [
        f"{len(found.registered)} of {found.asked} frames added to the map{lens}, "
        f"{found.points:+d} points; all poses of before stay"
    ]
    for reason, count in Counter(map(_without_number, found.left.values())).most_common():
        names = [name for name, why in found.left.items() if _without_number(why) == reason]
        shown = ", ".join(names[:5]) + (" ..." if count > 5 else "")
        lines.append(f"  not added, {reason}: {count} ({shown})")
    return "\n".join([*lines, describe_reconstruction(place)])


def _without_number(reason: str) -> str:
    return reason.lstrip("0123456789 ")


def describe_build(place: Place) -> str:
    """Return what a build made, and what to do next."""
    lines = [describe_reconstruction(place)]
    if masks := describe_masks(place):
        lines.append(masks)
    if left_out := read_left_out(place.root / LEFT_OUT):
        lines.append(f"{describe_left_out(left_out)} ({LEFT_OUT} names all)")
    if place.unit != "m":
        lines.append(
            "unit: arbitrary; next: `sightline align "
            f"{place.root} --control control.csv --plan plan.png` (or `--distance A B METRES`)"
        )
    else:
        lines.append(f"unit: metres; next: `sightline train absolute {place.root}`")
    return "\n".join(lines)
