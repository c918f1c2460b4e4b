"""A video with the plan in its corner: where the camera is, where it looks, how sure that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.app.judged import rounded_down
from sightline.app.trajectory import Trajectory
from sightline.errors import InputError
from sightline.geometry import Pose
from sightline.geometry.interpolation import interpolate_poses
from sightline.geometry.rotation import Array
from sightline.media import iter_frames, list_photos, read_photo, video_writer
from sightline.records import Place
from sightline.records.plan import FloorPlan, heading_without_plan_deg

if TYPE_CHECKING:
    from sightline.app.localize import Localization

Picture = NDArray[np.uint8]
Progress = Callable[[str, float], None]

#: Longest side of the frames written.
_LONGEST = 1280
#: The inset's longest side, as a share of the frame's shorter one.
_INSET = 0.42
#: Margin of a plan that is made up, in its own size.
_MARGIN = 0.12
#: Okabe and Ito's blue and orange; RGB.
_PATH, _HERE = (0, 114, 178), (213, 94, 0)


def write_overlay(
    path: Path,
    source: Path,
    trajectory: Trajectory,
    place: Place,
    *,
    fps: float,
    progress: Progress = lambda _stage, _done: None,
) -> None:
    """Write the video with the plan, the path so far, position, heading and confidence.

    Every frame of a video is written; between two that were localised the pose is interpolated.

    Args:
        path: Ends in ``.mp4``; whole or absent.
        source: What was localised: a video, or a folder of photos.
        trajectory: Its answers.
        place: For the plan and the unit.
        fps: What frames were localised at; photos are shown at it.
        progress: Called with a text and the share done.

    Raises:
        InputError: Another suffix, or nothing was localised.
        MediaError: The video cannot be read or written.
    """
    stamps = trajectory.timestamps_s
    if not len(stamps):
        raise InputError(f"frames are wanted for {path}, none were localised")
    inset = _Inset(place, trajectory)
    size: tuple[int, int] | None = None
    end = float(stamps[-1])
    with video_writer(path, crf=23) as write:
        for stamp, picture in _pictures(source, stamps, fps):
            if stamp > end + 1.0 / fps:
                break  # the rest was not localised: it was stopped
            size = size or _even_size(picture)
            frame = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            write(inset.draw(np.asarray(frame, np.uint8), stamp), stamp)
            progress("writing the video", min(stamp / max(end, 1e-9), 1.0))


def _pictures(source: Path, stamps: Array, fps: float) -> Iterator[tuple[float, Picture]]:
    if not source.is_dir():
        for frame in iter_frames(source):
            yield frame.timestamp_s, frame.image
        return
    first: Picture | None = None
    for stamp, photo in zip(stamps, list_photos(source), strict=False):
        picture = read_photo(photo)
        first = picture if first is None else first
        yield float(stamp), _fitted(picture, first.shape[1], first.shape[0])


def _fitted(picture: Picture, width: int, height: int) -> Picture:
    """Return a picture in the middle of a black one of a given size."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    canvas = np.zeros((height, width, 3), np.uint8)
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas


def _even_size(picture: Picture) -> tuple[int, int]:
    height, width = picture.shape[:2]
    scale = min(1.0, _LONGEST / max(height, width))
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


@dataclass(frozen=True, eq=False)
class _Sheet:
    """What the inset is drawn on: a picture, and where the world lies on it."""

    picture: Picture
    px_from_world: Array

    def to_px(self, points: Array) -> Array:
        px: Array = points[..., :2] @ self.px_from_world[:, :2].T + self.px_from_world[:, 2]
        return px

    @classmethod
    def of_plan(cls, plan: FloorPlan) -> _Sheet:
        with Image.open(plan.image) as picture:
            return cls(np.asarray(picture.convert("RGB")), plan.px_from_world)

    @classmethod
    def blank(cls, centres: Array) -> _Sheet:
        """Return a white sheet, x to the right and y up, with room for some centres."""
        low, high = (centres.min(axis=0), centres.max(axis=0)) if len(centres) else (0.0, 1.0)
        low, high = np.broadcast_to(low, 3)[:2], np.broadcast_to(high, 3)[:2]
        reach = max(float((high - low).max()), 1e-6)
        per_unit = 400.0 / (reach * (1 + 2 * _MARGIN))
        width, height = np.ceil((high - low + 2 * _MARGIN * reach) * per_unit).astype(int)
        left, top = low[0] - _MARGIN * reach, high[1] + _MARGIN * reach
        affine = per_unit * np.array([[1.0, 0.0, -left], [0.0, -1.0, top]])
        return cls(np.full((height, width, 3), 255, np.uint8), affine)

    def scaled(self, longest: int) -> _Sheet:
        """Return the sheet at another size."""
        height, width = self.picture.shape[:2]
        scale = longest / max(height, width)
        size = (max(2, round(width * scale)), max(2, round(height * scale)))
        small = cv2.resize(self.picture, size, interpolation=cv2.INTER_AREA)
        factors = np.array([size[0] / width, size[1] / height])
        affine = self.px_from_world * factors[:, None]
        affine[:, 2] += 0.5 * factors - 0.5  # pixel centres stay pixel centres
        return _Sheet(np.asarray(small, np.uint8), affine)


class _Inset:
    """Draws the plan and the words for any time."""

    def __init__(self, place: Place, trajectory: Trajectory) -> None:
        rows, poses = trajectory.posed()
        self._plan, self._unit = place.plan, place.unit
        self._answers, self._stamps = trajectory.best, trajectory.timestamps_s
        self._known, self._poses = trajectory.timestamps_s[rows], poses
        step = float(np.median(np.diff(self._stamps))) if len(self._stamps) > 1 else 0.5
        self._gap = 0.75 * step
        plan = self._plan
        self._sheet = _Sheet.blank(poses.translation) if plan is None else _Sheet.of_plan(plan)
        self._scaled: _Sheet | None = None

    def draw(self, frame: Picture, stamp: float) -> Picture:
        """Return the frame with the inset for a time."""
        if self._scaled is None:
            self._scaled = self._sheet.scaled(round(_INSET * min(frame.shape[:2])))
        here, known = interpolate_poses(self._known, self._poses, [stamp], self._gap)
        answer = self._answers[int(np.abs(self._stamps - stamp).argmin())]
        sheet = self._scaled.picture.copy()
        self._draw_path(sheet, stamp)
        if known[0]:
            self._draw_arrow(sheet, here[0])
        drawn = frame.copy()
        margin = max(4, round(0.012 * min(frame.shape[:2])))
        high, wide = sheet.shape[:2]
        corner = (slice(margin, margin + high), slice(-margin - wide, -margin))
        drawn[corner] = cv2.addWeighted(sheet, 0.88, drawn[corner], 0.12, 0.0)
        _write_words(drawn, self._words(here[0] if known[0] else None, answer), margin)
        return drawn

    def _draw_path(self, sheet: Picture, stamp: float) -> None:
        before = self._known <= stamp
        px = self._px(self._poses.translation[before])
        breaks = np.flatnonzero(np.diff(self._known[before]) > 2.0 * self._gap) + 1
        thick = max(2, round(0.008 * max(sheet.shape[:2])))
        for part in np.split(px, breaks):
            if len(part) > 1:
                line = np.round(16 * part).astype(np.int32)[:, None]
                cv2.polylines(sheet, [line], False, _PATH, thick, cv2.LINE_AA, shift=4)

    def _draw_arrow(self, sheet: Picture, pose: Pose) -> None:
        at = self._px(pose.translation[None])[0]
        heading = np.deg2rad(self._heading_deg(pose))
        way = np.array([np.sin(heading), -np.cos(heading)])
        long = 0.09 * max(sheet.shape[:2])
        side = np.array([-way[1], way[0]])
        corners = [
            at + long * way,
            at + 0.45 * long * (side - way),
            at - 0.45 * long * (side + way),
        ]
        points = np.round(16 * np.array(corners)).astype(np.int32)
        cv2.fillPoly(sheet, [points], _HERE, cv2.LINE_AA, shift=4)

    def _px(self, centres: Array) -> Array:
        return self._sheet.to_px(centres) if self._scaled is None else self._scaled.to_px(centres)

    def _heading_deg(self, pose: Pose) -> float:
        if self._plan is None:
            return float(heading_without_plan_deg(pose))
        return float(self._plan.heading_deg(pose))

    def _words(self, pose: Pose | None, answer: Localization) -> list[str]:
        if pose is None:
            return ["don't know"]
        x, y, z = pose.translation
        unit = "m" if self._unit == "m" else "map units"
        return [
            f"{x:.2f}, {y:.2f}, {z:.2f} {unit}   heading {self._heading_deg(pose):.0f} deg",
            f"{answer.status}, confidence {rounded_down(answer.confidence, 2):.2f}",
        ]


def _write_words(frame: Picture, lines: list[str], margin: int) -> None:
    """Write lines into the lower left corner, on a darkened strip."""
    scale = min(frame.shape[:2]) / 900.0
    thick = max(1, round(2 * scale))
    font: Any = cv2.FONT_HERSHEY_SIMPLEX
    step = round(40 * scale)
    top = frame.shape[0] - margin - step * len(lines)
    frame[top - margin :] = frame[top - margin :] // 3
    for i, line in enumerate(lines):
        at = (margin, top + step * (i + 1) - round(12 * scale))
        cv2.putText(frame, line, at, font, scale, (255, 255, 255), thick, cv2.LINE_AA)
