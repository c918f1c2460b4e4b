"""Checks of the pictures: there, sharp, well lit, with texture."""

from __future__ import annotations

import numpy as np

from sightline.app.doctor.examination import Examination
from sightline.app.doctor.findings import Finding, graded, listed, share_of
from sightline.app.doctor.remedies import build_anew, next_quality, only_useful, sharper
from sightline.reconstruction.diagnosis.pictures import PictureFacts, against_neighbours
from sightline.reconstruction.doctor import BLUR_FRACTION, FEW_FEATURES

#: Share of bad frames that is a warning, and one that is a problem: the map bridges single frames
#: (each is matched with several), but not most of them.
SHARE_WARNING, SHARE_PROBLEM = 0.1, 0.5
#: Sharpness over squared contrast of a walk's median frame: a blurred walk has no sharp neighbours
#: to be held against. Real walks have 0.023 to 0.24, blurred by 1.5 pixels of 640 0.0015 to 0.008.
CRISP = 0.01
#: Median grey level of a dark frame; and shares of black and of burnt-out pixels that leave too
#: little of the picture to match.
DARK_LEVEL, BLACK_SHARE, BURNT_SHARE = 25.0, 0.6, 0.3
#: FAST corners at 640 pixels, where the build's own features are not there to count.
FEW_CORNERS = 60


def check_readable(exam: Examination) -> Finding:
    """Return which pictures are missing or do not read."""
    bad = tuple(exam.unreadable)
    total = len(exam.frames)
    return Finding(
        "pictures",
        "problem" if bad else "good",
        f"{share_of(total - len(bad), total)} read"
        + (f"; not {listed(bad)} ({exam.unreadable[bad[0]]})" if bad else ""),
        "all",
        "copy them again from where they came, or build beside this place" if bad else "",
        build_anew(exam, exam.config) if bad and exam.built_here else "",
        len(bad) / total,
        0.0,
        bad,
    )


def crispness(exam: Examination) -> dict[str, float]:
    """Return name -> sharpness over squared contrast, which does not change with the light."""
    return {n: p.sharpness / max(p.contrast, 1.0) ** 2 for n, p in exam.pictures.items()}


def check_blur(exam: Examination) -> Finding | None:
    """Return which frames are blurred; None where no picture reads."""
    if not exam.pictures:
        return None
    names = list(exam.pictures)
    crisp = crispness(exam)
    middle = float(np.median(list(crisp.values())))
    ratios = against_neighbours(np.array([exam.pictures[n].sharpness for n in names]))
    # A dark frame has no edges either; that is another finding, with another remedy.
    lit = np.array([not _is_dark(exam.pictures[n]) for n in names])
    rows = np.flatnonzero((ratios < BLUR_FRACTION) & lit)
    blurred = tuple(names[i] for i in rows[np.argsort(ratios[rows])])
    share = len(blurred) / len(names)
    severity = graded(share, note=0.0, warning=SHARE_WARNING, problem=SHARE_PROBLEM)
    measured = f"{share_of(len(blurred), len(names))} under {BLUR_FRACTION:g} of their neighbours"
    if middle < CRISP:
        severity = max(severity, "warning", key=("good", "note", "warning", "problem").index)
        measured += f"; the whole walk is soft ({middle:.3f})"
    return Finding(
        "blur",
        severity,
        measured + (f" ({listed(blurred)})" if blurred else ""),
        f"none, and a median of {CRISP:g} over squared contrast",
        "" if severity == "good" else "walk slower or film with more light; take sharp frames only",
        "" if severity == "good" else build_anew(exam, sharper(exam)),
        share,
        0.0,
        blurred,
    )


def check_light(exam: Examination) -> Finding | None:
    """Return which frames are too dark or burnt out; None where no picture reads."""
    if not exam.pictures:
        return None
    dark = [n for n, p in exam.pictures.items() if _is_dark(p)]
    burnt = [n for n, p in exam.pictures.items() if p.burnt > BURNT_SHARE]
    dark.sort(key=lambda n: exam.pictures[n].brightness)
    burnt.sort(key=lambda n: -exam.pictures[n].burnt)
    share = len({*dark, *burnt}) / len(exam.pictures)
    severity = graded(share, note=0.0, warning=SHARE_WARNING, problem=SHARE_PROBLEM)
    level = float(np.median([p.brightness for p in exam.pictures.values()]))
    parts = [f"median grey level {level:.0f} of 255"]
    parts += [f"{len(dark)} too dark ({listed(dark)})"] if dark else []
    parts += [f"{len(burnt)} burnt out ({listed(burnt)})"] if burnt else []
    return Finding(
        "light",
        severity,
        "; ".join(parts),
        f"level {DARK_LEVEL:g} or more, {100 * BURNT_SHARE:g}% burnt out or less",
        "" if severity == "good" else "film with more even light; leave out what shows nothing",
        "" if severity == "good" else build_anew(exam, only_useful(exam)),
        share,
        0.0,
        (*dark, *burnt),
    )


def check_texture(exam: Examination) -> Finding | None:
    """Return which frames show too little to match; None where nothing could be counted."""
    counts = {n: exam.features[n] for n in exam.names if n in exam.features}
    few, what = FEW_FEATURES, "features"
    if not counts:
        counts = {name: picture.corners for name, picture in exam.pictures.items()}
        few, what = FEW_CORNERS, "corners"
    if not counts:
        return None
    bare = sorted((n for n, c in counts.items() if c < few), key=lambda n: counts[n])
    share = len(bare) / len(counts)
    severity = graded(share, note=0.0, warning=SHARE_WARNING, problem=SHARE_PROBLEM)
    middle = float(np.median(list(counts.values())))
    return Finding(
        "texture",
        severity,
        f"median {middle:.0f} {what} a frame"
        + (f"; {len(bare)} have fewer than {few} ({listed(bare)})" if bare else ""),
        f"{few} {what} in every frame",
        "" if not bare else "turn the camera away from bare walls, floors and ceilings",
        "" if not bare else build_anew(exam, next_quality(exam)),
        share,
        0.0,
        tuple(bare),
    )


def _is_dark(picture: PictureFacts) -> bool:
    return picture.brightness < DARK_LEVEL or picture.black > BLACK_SHARE
