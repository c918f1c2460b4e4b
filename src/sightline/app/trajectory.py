"""A video's answers as one trajectory: smoothed by a pose graph, as TUM, on the plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from sightline.errors import InputError, SightlineError
from sightline.geometry import Camera, Pose
from sightline.geometry.pose_graph import RelativePoses, ScaleRatios
from sightline.geometry.rotation import Array
from sightline.media import list_photos, probe_video
from sightline.media.photo import photo_kind
from sightline.media.timing import exact_rate
from sightline.reconstruction.odometry import (
    Odometry,
    OdometryConfig,
    VisualOdometry,
    odometry_of_trajectory,
)
from sightline.reconstruction.refine import camera_for_photo
from sightline.records import Place
from sightline.records.cameras import common_camera
from sightline.records.plan_picture import Track, draw_on_plan
from sightline.records.tum import read_tum, write_tum
from sightline.tasks.absolute.pose_graph import Answers, SmoothingConfig, smooth

if TYPE_CHECKING:
    from sightline.app.localize import Localization, Localizer

#: Answers of the map: a few centimetres where the radius is half a metre, and this many degrees.
_REFINED_SHARE, _REFINED_DEG = 0.06, 0.3
#: A network's doubt, in radii, is no smaller and no larger; its angle is judged by how it fits.
_REGRESSED_SHARES, _REGRESSED_DEG = (0.5, 10.0), 10.0
#: How far a camera that only turned may have moved, in radii.
_STILL_SHARE = 0.2
#: An answer that counts less than this was let go.
_AGREES = 0.5


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The answers for the frames of one video, or for a folder's photos in order.

    Attributes:
        answers: As each frame alone gave.
        smoothed: As all gave together; None where nobody asked for it.
        timestamps_s: (N,) of the frames; of photos, their numbers over the rate.
        stopped: What ended it before the source's end: Ctrl-C, or a frame that does not read.
    """

    answers: list[Localization]
    smoothed: list[Localization] | None
    timestamps_s: Array
    stopped: BaseException | None = None

    @property
    def best(self) -> list[Localization]:
        """The smoothed answers where there are such."""
        return self.answers if self.smoothed is None else self.smoothed

    def posed(self) -> tuple[NDArray[np.int64], Pose]:
        """Return (M,) the frames whose pose is known, and their (M,) world_from_cam."""
        poses = [answer.world_from_cam for answer in self.best]
        rows = np.array([i for i, pose in enumerate(poses) if pose is not None], np.int64)
        return rows, Pose.stack([pose for pose in poses if pose is not None])

    def to_json(self, index: int) -> dict[str, Any]:
        """Return one frame's JSON: the answer, and in ``raw`` what it was before smoothing."""
        content = self.best[index].to_json()
        if self.smoothed is not None:
            raw = self.answers[index].to_json()
            content["raw"] = {k: raw[k] for k in ("status", "q_wxyz", "center", "confidence")}
        return content

    def write_tum(self, path: Path) -> None:
        """Write the known poses as a TUM trajectory.

        Raises:
            InputError: There are none.
        """
        rows, poses = self._known_for(path)
        write_tum(path, self.timestamps_s[rows], poses)

    def write_plan_picture(self, path: Path, place: Place) -> None:
        """Draw the trajectory on the place's plan, or from above where it has none.

        Raises:
            InputError: No pose is known.
        """
        self._known_for(path)
        alone = Track("frame by frame", _positions(self.answers), "points")
        tracks = [dataclasses.replace(alone, style="line")]
        if self.smoothed is not None:
            tracks = [Track("smoothed", _positions(self.smoothed)), alone]
        draw_on_plan(place.plan, tracks, path, unit=place.unit)

    def _known_for(self, path: Path) -> tuple[NDArray[np.int64], Pose]:
        rows, poses = self.posed()
        if not len(rows):
            raise InputError(
                f"a frame with a pose is wanted for {path}, none was recognised; is this the place?"
            )
        return rows, poses


def follow(
    localizer: Localizer,
    source: Path,
    *,
    fps: float,
    smoothed: bool,
    odometry: Path | None = None,
    answered: Callable[[Localization], None] = lambda _answer: None,
    progress: Callable[[str, float], None] = lambda _stage, _done: None,
) -> Trajectory:
    """Return the trajectory of a video, or of a folder's photos in order.

    What stops it before the end (Ctrl-C, a damaged frame) costs no answer: the trajectory of the
    frames so far comes back, and says what it was.

    Args:
        localizer: The place's.
        source: A video, a folder, a photo.
        fps: Frames a second taken of a video; photos are taken for so many a second.
        smoothed: Smooth the answers, by matching each frame to those before it.
        odometry: A TUM trajectory of the same camera on the video's clock, in metres, instead of
            matching.
        answered: Called with each frame's own answer, as it comes.
        progress: Called with a text and the share done; not for a single photo.

    Raises:
        InputError: No such source; or ``odometry`` without ``smoothed``, for a place without
            metres, of other times, or that does not read.
        MediaError: Not even the first frame reads.
    """
    from sightline.app.localize import localize_source

    exact_rate(fps)  # of a folder's photos too
    steps = _Steps(localizer, smoothed, odometry)
    answers: list[Localization] = []
    length = _length(source, fps)

    def took(image: NDArray[np.uint8], focal_px: float | None, answer: Localization) -> None:
        steps.take(image, focal_px)
        answers.append(answer)
        answered(answer)
        if length:
            progress(f"localising: {len(answers)} frames", min(len(answers) / length, 1.0))

    stopped: BaseException | None = None
    try:
        for _ in localize_source(localizer, source, fps=fps, on_photo=took):
            pass
    except (KeyboardInterrupt, SightlineError) as reason:
        if not answers:
            raise
        stopped = reason
    stamps = np.array(
        [i / fps if a.timestamp_s is None else a.timestamp_s for i, a in enumerate(answers)]
    )
    better = None
    if smoothed and answers:
        progress("smoothing", 0.0)
        better = _smoothed(localizer, answers, steps.odometry(stamps), stamps)
    return Trajectory(answers, better, stamps, stopped)


def _length(source: Path, fps: float) -> float:
    """Return about how many frames will be localised; 0 where nobody can say."""
    if source.is_dir():
        return len(list_photos(source))
    if not source.is_file():
        return 0.0
    with source.open("rb") as stream:
        if photo_kind(stream.read(16)) is not None:
            return 0.0
    info = probe_video(source)
    seconds = info.duration_s or 0.0
    return seconds * min(fps, info.average_fps or fps)


class _Steps:
    """How the camera moved from frame to frame: matched as frames come, or as given."""

    def __init__(self, localizer: Localizer, smoothed: bool, given: Path | None) -> None:
        if given is not None and not smoothed:
            raise InputError("--smooth is wanted with --odometry; add it")
        if given is not None and localizer.place.unit != "m":
            raise InputError(
                f"a place in metres is wanted for --odometry, {localizer.place.root} is not; "
                "run `sightline align` first"
            )
        self._given = None if given is None else read_tum(given)
        self._camera = common_camera(localizer.place)
        self._visual: VisualOdometry | None = None
        if smoothed and given is None:
            still = _STILL_SHARE * localizer.confidence.model.radius
            self._visual = VisualOdometry(OdometryConfig(still=still))

    def take(self, image: NDArray[np.uint8], focal_px: float | None) -> None:
        """Take the next frame and its EXIF focal length."""
        if self._visual is None:
            return
        height, width = image.shape[:2]
        known = self._camera or Camera.guess(width, height)
        self._visual.add(image, camera_for_photo(known, width, height, focal_px))

    def odometry(self, stamps: Array) -> Odometry:
        """Return the steps between the frames so far, which were taken at these times."""
        if self._given is not None:
            return odometry_of_trajectory(*self._given, stamps.tolist())
        if self._visual is not None:
            return self._visual.result()
        return Odometry(len(stamps), RelativePoses.none(), ScaleRatios.none())


def _smoothed(
    localizer: Localizer, answers: list[Localization], odometry: Odometry, stamps: Array
) -> list[Localization]:
    radius, config = localizer.confidence.model.radius, SmoothingConfig()
    if localizer.place.unit != "m":
        # The radius stands for half a metre.
        config = dataclasses.replace(config, walking=2.0 * radius * config.walking)
    found = smooth(answers_of(answers, radius), odometry, stamps.tolist(), config)
    likely = _confidences(answers, found.weights)
    return [
        answer if pose is None else localizer.moved(answer, pose, likely[i])
        for i, (answer, pose) in enumerate(zip(answers, found.poses, strict=True))
    ]


def answers_of(answers: list[Localization], radius: float) -> Answers:
    """Return localisations with the doubts that their status and confidence stand for.

    Args:
        answers: Of a video's frames.
        radius: What confidence is about: the probability to be within it.
    """
    refined = np.array([a.status == "refined" for a in answers])
    likely = np.array([a.confidence for a in answers])
    # Three normal numbers are together within the radius with this probability.
    sigma = radius / np.sqrt(2.0 * gammaincinv(1.5, likely.clip(1e-3, 1 - 1e-6)))
    low, high = (share * radius for share in _REGRESSED_SHARES)
    return Answers(
        [answer.world_from_cam for answer in answers],
        np.where(refined, _REFINED_SHARE * radius, sigma.clip(low, high)),
        np.deg2rad(np.where(refined, _REFINED_DEG, _REGRESSED_DEG)),
        ~refined,
    )


def _confidences(answers: list[Localization], weights: Array) -> list[float]:
    """Return each frame's confidence after smoothing.

    A frame whose own answer stands keeps its own; one that was told by others gets half the lower
    of those of the nearest that stand before and after.
    """
    own = np.array([a.confidence for a in answers])
    stands = np.flatnonzero((weights >= _AGREES) & (own > 0))
    if not len(stands):
        return [0.0] * len(answers)
    every = np.arange(len(answers))
    after = np.searchsorted(stands, every).clip(0, len(stands) - 1)
    before = (np.searchsorted(stands, every, side="right") - 1).clip(0, len(stands) - 1)
    told = 0.5 * np.minimum(own[stands[after]], own[stands[before]])
    told[stands] = own[stands]
    return [float(value) for value in told]


def _positions(answers: list[Localization]) -> Array:
    gap = np.full(3, np.nan)
    return np.array(
        [gap if a.world_from_cam is None else a.world_from_cam.translation for a in answers]
    ).reshape(-1, 3)
