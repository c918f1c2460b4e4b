"""What went well in a reconstruction, what did not, and the likely cause of each frame left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import PlaceError
from sightline.records.colmap import MapModel

#: A frame whose sharpness is under this fraction of its neighbours' median is blurred.
BLUR_FRACTION = 0.35
_NEIGHBOURS = 6
#: Fewer features than this are too few to match; COLMAP wants 15 verified matches of a pair.
FEW_FEATURES = 100
#: COLMAP registers a frame on 30 or more map points.
FEW_MATCHES = 30
#: Less than this share of the frames in the map is a failed reconstruction.
SMALLEST_SHARE = 0.1
FEWEST_FRAMES = 3
#: A frame with too few features that lost more than this share to its mask is no bare wall.
MOST = 0.5

BLUR = "blur"
TEXTURELESS = "textureless"
MASKED = "mostly masked"
OVERLAP = "too little overlap"
REJECTED = "matched, but its pose was rejected"


@dataclass(frozen=True)
class ReconstructionReport:
    """The outcome of a reconstruction; ``doctor.json`` is the same.

    Attributes:
        frames: Number of frames of the place.
        registered: Number of frames in the chosen map.
        models: Registered frames of each model COLMAP made, the chosen one first.
        points: Number of map points.
        mean_reprojection_error_px: Over the map points.
        mean_track_length: Observations per map point.
        unregistered: Frame name -> likely cause.
        loops: What loop closing looked at, believed, and why (``loops.json``).
        hints: Advice, one line each.
        agreement: ``share`` of the matches that the map explains, and the frames ``doubted`` (name
            -> share of its own); empty where there is no map.
        attempts: What the mapper made from each of its starts.
    """

    frames: int
    registered: int
    models: list[int]
    points: int
    mean_reprojection_error_px: float
    mean_track_length: float
    unregistered: dict[str, str] = field(default_factory=dict)
    loops: dict[str, Any] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)
    agreement: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def frames_wanted(self) -> int:
        """How many registered frames make a usable map."""
        return max(FEWEST_FRAMES, int(np.ceil(SMALLEST_SHARE * self.frames)))

    @property
    def usable(self) -> bool:
        """Whether enough of the frames are in the map."""
        return self.registered >= self.frames_wanted


def examine(
    names: Sequence[str],
    images_dir: Path,
    model: MapModel | None,
    *,
    models: Sequence[int],
    facts: dict[str, Any],
    loops: dict[str, Any],
) -> ReconstructionReport:
    """Return the report of a finished mapping.

    Args:
        names: All frames, in order.
        images_dir: Where they lie.
        model: The chosen map; None where COLMAP made none.
        models: Registered frames of each model.
        facts: ``features`` (name -> count), ``verified`` ([a, b, matches] rows), and ``masked``
            (name -> share of its features dropped) where there are masks; ``agreement`` where
            there is a map, and ``attempts``, as in the report.
        loops: What loop closing said.
    """
    registered = set(model.frames) if model is not None else set()
    causes = _causes(names, images_dir, registered, facts)
    agreement = facts.get("agreement", {})
    errors = model.point_errors_px if model is not None else np.zeros(0)
    lengths = model.track_lengths if model is not None else np.zeros(0)
    return ReconstructionReport(
        frames=len(names),
        registered=len(registered),
        models=list(models),
        points=len(lengths),
        mean_reprojection_error_px=round(float(errors.mean()), 4) if len(errors) else 0.0,
        mean_track_length=round(float(lengths.mean()), 3) if len(lengths) else 0.0,
        unregistered=causes,
        loops=loops,
        hints=hints(len(names), len(registered), models, causes, agreement),
        agreement=agreement,
        attempts=facts.get("attempts", []),
    )


def sharpness(path: Path) -> float:
    """Return the variance of an image's Laplacian at 640 pixels or fewer; low means blurred.

    Raises:
        PlaceError: The image cannot be read.
    """
    import cv2

    grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise PlaceError(f"an image is wanted in {path}; it cannot be read. Run the build again")
    factor = 640 / max(grey.shape)
    if factor < 1:
        grey = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def _causes(
    names: Sequence[str], images_dir: Path, registered: set[str], facts: dict[str, Any]
) -> dict[str, str]:
    matched: dict[str, int] = defaultdict(int)
    for a, b, count in facts["verified"]:
        if b in registered:
            matched[a] = max(matched[a], count)
        if a in registered:
            matched[b] = max(matched[b], count)
    known: dict[str, float] = {}

    def sharp(name: str) -> float:
        if name not in known:
            known[name] = sharpness(images_dir / name)
        return known[name]

    causes = {}
    for index, name in enumerate(names):
        if name in registered:
            continue
        around = names[max(0, index - _NEIGHBOURS) : index + _NEIGHBOURS + 1]
        neighbours = [n for n in around if n in registered] or list(around)
        if sharp(name) < BLUR_FRACTION * np.median([sharp(n) for n in neighbours]):
            causes[name] = BLUR
        elif facts["features"].get(name, 0) < FEW_FEATURES:
            masked = facts.get("masked", {}).get(name, 0.0) > MOST
            causes[name] = MASKED if masked else TEXTURELESS
        elif matched[name] < FEW_MATCHES:
            causes[name] = OVERLAP
        else:
            causes[name] = REJECTED
    return causes


def _doubts(agreement: dict[str, Any]) -> list[str]:
    doubted: dict[str, float] = agreement.get("doubted", {})
    if not doubted:
        return []
    worst = next(iter(doubted))
    return [
        f"{len(doubted)} frames do not stand as their matches say ({worst}: the map explains "
        f"{100 * doubted[worst]:.0f}% of its matches): the map may be bent there; try a higher "
        "quality"
    ]


def hints(
    frames: int,
    registered: int,
    models: Sequence[int],
    causes: dict[str, str],
    agreement: dict[str, Any],
) -> list[str]:
    """Return advice, one line each.

    Args:
        frames: Number of frames.
        registered: Number of those in the map.
        models: Registered frames of each map, the chosen one first.
        causes: Frame name -> likely cause, of those left out.
        agreement: As in the report.
    """
    advised = []
    if len(models) > 1 and registered < frames:
        advised.append(
            f"the frames fell into {len(models)} maps of {', '.join(map(str, models))} frames; "
            "the largest is used. Film the places between them once more, or raise the overlap"
        )
    advice = {
        BLUR: "walk slower, or film with more light",
        TEXTURELESS: "turn the camera away from bare walls",
        MASKED: "film when fewer people are about, or mask less",
        OVERLAP: "take more frames a second, or walk slower",
        REJECTED: "try a higher quality",
    }
    for cause, what in advice.items():
        count = sum(c == cause for c in causes.values())
        if count:
            advised.append(f"{count} of {frames} frames are not in the map ({cause}): {what}")
    if not registered:
        advised.append(
            "move sideways at the start of the video; turning on the spot gives no depth"
        )
    return [*advised, *_doubts(agreement)]
