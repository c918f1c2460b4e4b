"""What a place says of photos whose truth is known, kept from call to call."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.app.calibration.config import CalibrateConfig
from sightline.app.judged import Judged
from sightline.app.localize import FAMILIAR, Localizer, MapRefiner
from sightline.app.place_confidence import calibrated_for
from sightline.errors import InputError, MediaError
from sightline.geometry import Pose
from sightline.geometry.rotation import Array
from sightline.media.distortions import Distortion, distort
from sightline.media.photo import read_photo
from sightline.records import Place, PosedFrame, read_poses_csv
from sightline.records.files import digest, digest_files, write_json

if TYPE_CHECKING:
    from sightline.reconstruction.evidence import PoseEvidence

Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Asked:
    """One photo, or a degraded copy of it, whose true position is known.

    Attributes:
        image: Its name.
        distortion: What was done to it.
        source: Number of the photo.
        status: What ``sightline localize`` answers.
        error: Distance of the map's pose, believed or not, to the truth; None where it has none.
        network_error: The same of the network's.
        evidence: Of the map's pose.
        network_apart: Distance between both.
        spread: The network's doubt.
        similarity: To the map's frames.
        trained_on: Whether the network was trained on the photo.
    """

    image: str
    distortion: str
    source: int
    status: str
    error: float | None
    network_error: float | None
    evidence: PoseEvidence | None
    network_apart: float | None
    spread: float | None
    similarity: float | None
    trained_on: bool

    @property
    def answer_error(self) -> float | None:
        """The error of what is answered; None where nothing is."""
        return {"refined": self.error, "regressed": self.network_error}.get(self.status)


def ask_all(
    localizer: Localizer, config: CalibrateConfig, progress: Progress
) -> tuple[list[Asked], tuple[str, ...]]:
    """Return what a place says of photos whose truth is known, and the photos that do not read."""
    place = localizer.place
    frames, images = _frames(place, config.walk)
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(config.photos, len(frames))).astype(int))
    kept = place.cache_dir / f"confidence-{_key(localizer, frames, config)}"
    asked: list[Asked] = []
    skipped: list[str] = []
    for number, index in enumerate(chosen.tolist()):
        progress(f"localising {frames[index].image}", number / len(chosen))
        hidden = set() if config.walk else _around(frames, index, config.neighbours)
        trained_on = config.walk is None and frames[index].split == "train"
        photo = _Photo(images / frames[index].image, frames[index], number, trained_on)
        try:
            asked += _ask(localizer, photo, hidden, config.of_photo(number), kept)
        except MediaError as error:
            skipped.append(str(error))
    if not asked:
        raise MediaError(skipped[0])
    return asked, tuple(skipped)


@dataclass(frozen=True)
class _Photo:
    path: Path
    frame: PosedFrame
    number: int
    trained_on: bool


def _frames(place: Place, walk: Path | None) -> tuple[list[PosedFrame], Path]:
    if walk is None:
        frames, images = place.registered(), place.images_dir
    else:
        frames = [f for f in read_poses_csv(walk / "poses.csv") if f.world_from_cam is not None]
        images = walk / "images" if (walk / "images").is_dir() else walk
    if not frames:
        raise InputError(f"frames with poses are wanted to calibrate on, {images} has none")
    return frames, images


def _around(frames: Sequence[PosedFrame], index: int, neighbours: int) -> set[str]:
    near = frames[max(0, index - neighbours) : index + neighbours + 1]
    return {frame.image for frame in near}


def _key(localizer: Localizer, frames: Sequence[PosedFrame], config: CalibrateConfig) -> str:
    """Return a digest of what the answers to a photo depend on."""
    place = localizer.place
    truth = [[f.image, *np.round(_true(f), 6).tolist()] for f in frames]
    alignment = {k: v for k, v in place.alignment.items() if k not in ("residuals", "notes")}
    own = config.neighbours if config.walk is None else None
    return digest(
        "confidence-2", calibrated_for(place, localizer.network_name), alignment, truth, own,
        place.content.get("features", {}),
    )  # fmt: skip


def _true(frame: PosedFrame) -> Array:
    if frame.world_from_cam is None:
        raise InputError(f"a true pose of {frame.image} is wanted, it has none")
    return frame.world_from_cam.translation


def _ask(
    localizer: Localizer,
    photo: _Photo,
    hidden: set[str],
    distortions: Sequence[Distortion],
    kept: Path,
) -> list[Asked]:
    content = digest_files([photo.path]) if photo.path.is_file() else ""
    file = kept / f"{digest(photo.frame.image, content)}.json"
    said: dict[str, Any] = {}
    if file.is_file():
        said = json.loads(file.read_text(encoding="utf-8"))
    missing = [d for d in distortions if str(d) not in said]
    if missing:
        image = read_photo(photo.path)
        seed = int(digest_files([photo.path], names=False)[:7], 16)
        refiner = None if localizer.refiner is None else _lenient(localizer.refiner, hidden)
        for distortion in missing:
            judged = localizer.judge(distort(image, distortion, seed), refiner=refiner)
            said[str(distortion)] = _row(judged, _true(photo.frame))
        write_json(file, said)
    return [_asked(photo, str(d), said[str(d)]) for d in distortions]


def _lenient(refiner: MapRefiner, hidden: set[str]) -> MapRefiner:
    """Return a refiner that believes nearly everything: what is wrong must be seen to be learnt."""
    from sightline.reconstruction.refine import RefineConfig

    config = RefineConfig(min_inliers=8, min_inlier_share=0.0, min_support=0.0)
    return refiner.without_frames(hidden, config)


def _row(judged: Judged, true: Array) -> dict[str, Any]:
    """Return what was said of a photo, for a file."""
    refined = judged.status == "refined"
    evidence = {} if judged.evidence is None else dataclasses.asdict(judged.evidence)
    # JSON knows no infinity
    finite = {name: float(v) if np.isfinite(v) else None for name, v in evidence.items()}
    return {
        "status": _status(judged),
        "error": _off(judged.pose, true) if refined else None,
        "network_error": _off(judged.proposal, true),
        "evidence": finite or None,
        "network_apart": judged.network_apart if refined else None,
        "spread": judged.spread,
        "similarity": judged.similarity,
    }


def _status(judged: Judged) -> str:
    """Return what ``sightline localize`` answers, which believes less than was asked for here."""
    from sightline.reconstruction.refine import RefineConfig

    evidence, usual = judged.evidence, RefineConfig()
    if evidence is None and judged.similarity is None:
        return judged.status
    if (
        evidence is not None
        and evidence.inliers >= usual.min_inliers
        and evidence.share >= usual.min_inlier_share
        and evidence.support >= usual.min_support
    ):
        return "refined"
    familiar = judged.similarity is not None and judged.similarity >= FAMILIAR
    return "regressed" if familiar and judged.proposal is not None else "unknown"


def _off(pose: Pose | None, true: Array) -> float | None:
    return None if pose is None else float(np.linalg.norm(pose.translation - true))


def _asked(photo: _Photo, distortion: str, row: dict[str, Any]) -> Asked:
    evidence = row["evidence"]
    if evidence is not None:
        from sightline.reconstruction.evidence import PoseEvidence

        known: dict[str, Any] = {name: np.inf if v is None else v for name, v in evidence.items()}
        evidence = PoseEvidence(**known | {"inliers": int(known["inliers"])})
    return Asked(
        image=photo.frame.image,
        distortion=distortion,
        source=photo.number,
        trained_on=photo.trained_on,
        **{**row, "evidence": evidence},
    )
