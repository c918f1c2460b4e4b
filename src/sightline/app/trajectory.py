"""A video's answers as one trajectory: smoothed by a pose graph, as TUM, on the plan."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincinv

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
from sightline.tasks.absolute.pose_graph import Answers, Smoothed, SmoothingConfig, smooth

if TYPE_CHECKING:
    from sightline.app.localize import Localization, Localizer

#: Right answers of the map: 3 cm where the radius is half a metre, and this many degrees.
_REFINED_SHARE, _REFINED_DEG = 0.06, 0.3
#: A network's doubt, in radii, is no smaller and no larger; its angle is judged by how it fits.
_REGRESSED_SHARES, _REGRESSED_DEG = (0.5, 10.0), 10.0
#: How far a camera that only turned may have moved, in radii.
_STILL_SHARE = 0.2
#: An answer that counts less than this was let go.
_AGREES = 0.5
#: Of a neighbour's confidence a frame gets this share.
_TOLD = 0.5
#: Taken for the rate of a video that does not say its own.
_USUAL_RATE = 30.0


@dataclass(frozen=True, eq=False)
class Trajectory:
    """The answers for the frames of one video, or for a folder's photos in order.

    Attributes:
        answers: As each frame alone gave.
        smoothed: As all gave together; None where nobody asked for it.
        timestamps_s: (N,) of the frames; of photos, their numbers over the rate.
        stopped: What ended it early: Ctrl-C, a frame that does not read, or what smoothing could
            not do.
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
    odometry_shift_s: float = 0.0,
    answered: Callable[[Localization], None] = lambda _answer: None,
    progress: Callable[[str, float], None] = lambda _stage, _done: None,
) -> Trajectory:
    """Return the trajectory of a video, or of a folder's photos in order.

    What stops it before the end (Ctrl-C, a damaged frame) costs no answer: the trajectory of the
    frames so far comes back, and says what it was. Where smoothing fails, the frames' own answers
    do.

    Args:
        localizer: The place's.
        source: A video, a folder, a photo.
        fps: Frames a second taken of a video; photos are taken for so many a second.
        smoothed: Smooth the answers, by matching each frame to those before it.
        odometry: A TUM trajectory of the same camera in metres, instead of matching.
        odometry_shift_s: Seconds to add to its times, which makes them seconds after the first
            frame.
        answered: Called with each frame's own answer, as it comes.
        progress: Called with a text and the share done; not for a single photo.

    Raises:
        InputError: No such source; or ``odometry`` without ``smoothed``, for a place without
            metres, of other times, for a single photo, or that does not read.
        MediaError: Not even the first frame reads.
    """
    from sightline.app.localize import localize_source

    exact_rate(fps)  # of a folder's photos too
    steps = _Steps(localizer, smoothed, _given(odometry, odometry_shift_s))
    answers: list[Localization] = []
    expected = _expected_stamps(source, fps)
    steps.check(expected)
    length = 0 if expected is None or len(expected) < 2 else len(expected)

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
        try:
            progress("smoothing", 0.0)
            better = _smoothed(localizer, answers, steps.odometry(stamps), stamps)
        except (KeyboardInterrupt, SightlineError) as reason:
            stopped = reason
    return Trajectory(answers, better, stamps, stopped)


def _expected_stamps(source: Path, fps: float) -> Array | None:
    """Return about when the frames will have been taken; None where nobody can say."""
    if source.is_dir():
        return np.arange(len(list_photos(source))) / fps
    if not source.is_file():
        return None
    with source.open("rb") as stream:
        if photo_kind(stream.read(16)) is not None:
            return np.zeros(1)
    info = probe_video(source)
    if info.duration_s is None:
        return None
    rate = min(fps, info.average_fps or _USUAL_RATE)
    return np.arange(max(1, math.ceil(info.duration_s * rate - 1e-6))) / rate


def _given(odometry: Path | None, shift_s: float) -> tuple[Array, Pose] | None:
    """Return a trajectory on the video's clock."""
    if odometry is None:
        if shift_s:
            raise InputError("--odometry is wanted with --odometry-shift; add it")
        return None
    if not math.isfinite(shift_s):
        raise InputError(f"a number of seconds is wanted for --odometry-shift, {shift_s} came")
    stamps, poses = read_tum(odometry)
    if not (np.diff(stamps) > 0).all():
        raise InputError(f"times that increase are wanted in {odometry}; sort its lines, each once")
    return stamps + shift_s, poses


class _Steps:
    """How the camera moved from frame to frame: matched as frames come, or as given."""

    def __init__(
        self, localizer: Localizer, smoothed: bool, given: tuple[Array, Pose] | None
    ) -> None:
        if given is not None and not smoothed:
            raise InputError("--smooth is wanted with --odometry; add it")
        if given is not None and localizer.place.unit != "m":
            raise InputError(
                f"a place in metres is wanted for --odometry, {localizer.place.root} is not; "
                "run `sightline align` first"
            )
        self._given = given
        self._camera = common_camera(localizer.place)
        self._visual: VisualOdometry | None = None
        if smoothed and given is None:
            still = _STILL_SHARE * localizer.confidence.model.radius
            self._visual = VisualOdometry(OdometryConfig(still=still))

    def check(self, expected: Array | None) -> None:
        """Refuse a given trajectory that ties none of the frames, before they are localised.

        Args:
            expected: About when they will have been taken; None where nobody can say.
        """
        if self._given is None or expected is None:
            return
        if len(expected) < 2:
            raise InputError(
                "a video, or a folder of photos, is wanted with --odometry, one photo came; leave "
                "--odometry out"
            )
        odometry_of_trajectory(*self._given, expected.tolist())

    def take(self, image: NDArray[np.uint8], focal_px: float | None) -> None:
        """Take the next frame and its EXIF focal length."""
        if self._visual is None:
            return
        height, width = image.shape[:2]
        known = self._camera or Camera.guess(width, height)
        self._visual.add(image, camera_for_photo(known, width, height, focal_px))

    def odometry(self, stamps: Array) -> Odometry:
        """Return the steps between the frames so far, which were taken at these times."""
        if self._given is not None and len(stamps) > 1:
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
    agrees = found.weights >= _AGREES
    likely = _confidences(answers, agrees, found, radius)
    return [
        answer
        if pose is None
        else localizer.moved(answer, pose, float(likely[i]), agrees=bool(agrees[i]))
        for i, (answer, pose) in enumerate(zip(answers, found.poses, strict=True))
    ]


def answers_of(answers: list[Localization], radius: float) -> Answers:
    """Return localisations with the doubts that their status and confidence stand for.

    A network's error is taken for normal, within the radius as often as its confidence says. The
    map's answers are good to centimetres or wrong altogether: their doubt is the mean of the two
    doubts' logarithms, weighed by the confidence.

    Args:
        answers: Of a video's frames.
        radius: What confidence is about: the probability to be within it.
    """
    refined = np.array([a.status == "refined" for a in answers])
    likely = np.array([a.confidence for a in answers]).clip(1e-3, 1 - 1e-6)
    # Three normal numbers are together within the radius with this probability.
    sigma = radius / np.sqrt(2.0 * gammaincinv(1.5, likely))
    low, high = (share * radius for share in _REGRESSED_SHARES)
    guessed = sigma.clip(low, high)
    mapped = (_REFINED_SHARE * radius) ** likely * guessed ** (1.0 - likely)
    mapped_deg = _REFINED_DEG**likely * _REGRESSED_DEG ** (1.0 - likely)
    return Answers(
        [answer.world_from_cam for answer in answers],
        np.where(refined, mapped, guessed),
        np.deg2rad(np.where(refined, mapped_deg, _REGRESSED_DEG)),
        ~refined,
    )


def _confidences(
    answers: list[Localization], agrees: NDArray[np.bool_], found: Smoothed, radius: float
) -> Array:
    """Return (N,) confidence of each frame after smoothing.

    A frame whose own answer agrees keeps its confidence. It gets half of a neighbour's that agrees
    where that is more (of the map's nearest, and of any nearest, before and after), and the less
    the farther the camera may have strayed from there.
    """
    own = np.array([a.confidence for a in answers])
    refined = np.array([a.status == "refined" for a in answers])
    standing = agrees & (own > 0)
    likely: Array = np.where(standing, own, 0.0)
    for some in (standing, standing & refined):
        likely = np.maximum(likely, _told(own, np.flatnonzero(some), found.step_sigma, radius))
    return likely


def _told(own: Array, by: NDArray[np.int64], step_sigma: Array, radius: float) -> Array:
    """Return (N,) what the nearest of some frames, before and after, tell the others."""
    told = np.zeros(len(own))
    if not len(by):
        return told
    every, tied = np.arange(len(own)), np.isfinite(step_sigma)
    strayed = np.r_[0.0, np.cumsum(np.where(tied, step_sigma, 0.0) ** 2)]
    part = np.r_[0, np.cumsum(~tied)]
    before, after = np.searchsorted(by, every) - 1, np.searchsorted(by, every, side="right")
    for side in (before, after):
        near = by[side.clip(0, len(by) - 1)]
        # never 0: next to each other all is within the radius
        variance = np.maximum(np.abs(strayed - strayed[near]), 1e-6 * radius**2)
        within = gammainc(1.5, 0.5 * radius**2 / variance)
        here = np.where(part == part[near], _TOLD * own[near] * within, 0.0)
        told = np.maximum(told, here)
    return told


def _positions(answers: list[Localization]) -> Array:
    gap = np.full(3, np.nan)
    return np.array(
        [gap if a.world_from_cam is None else a.world_from_cam.translation for a in answers]
    ).reshape(-1, 3)
