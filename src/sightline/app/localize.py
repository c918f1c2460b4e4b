"""Localize: a photo becomes a pose, a position on the plan, a heading, and how it was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.app.judged import Judged, Status, rounded_down
from sightline.app.place_confidence import PlaceConfidence
from sightline.app.trained_runs import (
    PoseNetwork,
    open_network,
    predict_with_spread,
    trained_runs,
)
from sightline.errors import InputError, MediaError, PlaceError
from sightline.geometry import Camera, Pose, Similarity
from sightline.records import FloorPlan, Place
from sightline.records.plan import heading_without_plan_deg
from sightline.tasks.absolute.walkable import WalkableMap

__all__ = ["Localization", "Localizer", "localize_source", "trained_runs"]

Image = NDArray[np.uint8]
OnPhoto = Callable[[Image, float | None, "Localization"], None]

#: Below this appearance similarity (1 = as the map's own frames) a photo was not taken here.
FAMILIAR = 0.75


@dataclass(frozen=True, eq=False)
class Localization:
    """Where one photo was taken.

    Attributes:
        image: The photo's name.
        status: ``refined`` (matched to the map), ``regressed`` (a network's answer), ``smoothed``
            (told by all frames of a video together) or ``unknown``.
        world_from_cam: The pose, None where unknown.
        unit: Unit of the pose's centre, ``m`` or ``arbitrary``.
        plan_xy_px: (u, v) on the plan, None without a plan or a pose.
        walkable_xy_px: The same, moved to the nearest walkable floor.
        on_walkable: Whether the raw position is on walkable floor.
        heading_deg: Where the camera looks: degrees clockwise from the plan's up (from the world's
            +y where there is no plan).
        confidence: Probability that the position is within the place's radius (0.5 m) of the
            truth; of an answer withheld for it, that answer's; 0 where there was none.
        inliers: Matches to map points that agree with the pose.
        seconds: Time this photo took.
        timestamp_s: Time in the video, None for photos.
    """

    image: str
    status: Status
    world_from_cam: Pose | None
    unit: str
    plan_xy_px: tuple[float, float] | None
    walkable_xy_px: tuple[float, float] | None
    on_walkable: bool | None
    heading_deg: float | None
    confidence: float
    inliers: int
    seconds: float
    timestamp_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return what ``sightline localize --json`` prints for this photo."""
        pose = self.world_from_cam
        content: dict[str, Any] = {
            "image": self.image,
            "status": self.status,
            "q_wxyz": None if pose is None else [round(float(v), 8) for v in pose.q_wxyz],
            "center": None if pose is None else [round(float(v), 6) for v in pose.translation],
            "unit": self.unit,
            "plan_xy_px": _rounded(self.plan_xy_px),
            "walkable_xy_px": _rounded(self.walkable_xy_px),
            "on_walkable": self.on_walkable,
            "heading_deg": None if self.heading_deg is None else round(self.heading_deg, 2),
            "confidence": rounded_down(self.confidence, 4),
            "inliers": self.inliers,
            "seconds": round(self.seconds, 4),
        }
        if self.timestamp_s is not None:
            content["timestamp_s"] = round(self.timestamp_s, 6)
        return content


def _rounded(xy: tuple[float, float] | None) -> list[float] | None:
    return None if xy is None else [round(v, 3) for v in xy]


class MapRefiner(Protocol):
    """What the second stage offers (see ``reconstruction.refine``)."""

    def refine(self, image: Image, camera: Camera, proposal: Pose | None = None) -> Any:
        """Return a ``Refinement`` in the map's own frame."""

    def without_frames(self, names: Collection[str], config: Any = None) -> MapRefiner:
        """Return the same in the map without some frames, as trusting as a config says."""

    @property
    def viewing_distance(self) -> float:
        """Median distance from the frames to the points they see, in the map's unit."""


class Localizer:
    """Answers "where was this photo taken?" for one place; made once, asked many times."""

    def __init__(
        self,
        place: Place,
        network: PoseNetwork | None,
        refiner: MapRefiner | None,
        map_camera: Camera | None,
        network_name: str | None = None,
        confidence: PlaceConfidence | None = None,
    ) -> None:
        """Use :meth:`open`."""
        if network is None and refiner is None:
            raise PlaceError(
                f"{place.root} has neither a reconstruction nor a trained network; run "
                "`sightline build` or `sightline train absolute` first"
            )
        self.place = place
        self.network_name = network_name
        self._refiner = refiner
        self.confidence = confidence or PlaceConfidence.shipped(place, refiner)
        self._network = network
        self._map_camera = map_camera
        self._world_from_map: Similarity = place.world_from_map
        self._plan: FloorPlan | None = place.plan
        self._walkable = WalkableMap.of_plan(self._plan) if self._plan is not None else None

    @classmethod
    def open(
        cls,
        place: Place,
        run: str | None = None,
        *,
        refine: bool = True,
        without_frames: Collection[str] = (),
        min_confidence: float | None = None,
        max_wrong: float | None = None,
        calibrated: bool = True,
    ) -> Localizer:
        """Return the place's localiser.

        Args:
            place: A built place.
            run: Name of the run whose network proposes; None takes the best by validation.
            refine: Use the map as the second stage where the place has one.
            without_frames: Map frames the second stage must not see, so that frames of the map
                itself can be scored.
            min_confidence: Answers below it are withheld.
            max_wrong: Instead of it, the share of photos that may get a wrong answer; the place
                must be calibrated.
            calibrated: Judge by the place's own calibration where it has one.

        Raises:
            PlaceError: There is neither map nor network, or no such run.
            InputError: A share cannot be promised.
        """
        network, name = open_network(place, run)
        refiner, camera = _open_refiner(place, without_frames) if refine else (None, None)
        confidence = PlaceConfidence.shipped(place, refiner)
        if calibrated:
            confidence = PlaceConfidence.open(place, refiner, name)
        confidence = confidence.answering(min_confidence, max_wrong)
        return cls(place, network, refiner, camera, name, confidence)

    @property
    def refiner(self) -> MapRefiner | None:
        """The second stage, where the place has one."""
        return self._refiner

    def localize(
        self,
        images: Sequence[Image],
        names: Sequence[str],
        *,
        focals_px: Sequence[float | None] | None = None,
        timestamps_s: Sequence[float | None] | None = None,
    ) -> list[Localization]:
        """Return one answer a photo, in order.

        Args:
            images: (H, W, 3) uint8 RGB, any sizes.
            names: A name a photo.
            focals_px: EXIF focal lengths in pixels, where known.
            timestamps_s: Times in the video, where it is one.
        """
        if len(images) == 0:
            return []
        started = time.perf_counter()
        proposals, spreads = self._propose(images)
        first_stage = (time.perf_counter() - started) / len(images)
        focals = focals_px or [None] * len(images)
        stamps = timestamps_s or [None] * len(images)

        def one(i: int) -> Localization:
            begun = time.perf_counter()
            judged = self._decide(images[i], focals[i], proposals[i], spreads[i])
            seconds = first_stage + time.perf_counter() - begun
            return self._describe(names[i], judged, seconds, stamps[i])

        # One after the other: pycolmap's SIFT holds the interpreter's lock, so threads only wait.
        return [one(i) for i in range(len(images))]

    def judge(
        self, image: Image, focal_px: float | None = None, refiner: MapRefiner | None = None
    ) -> Judged:
        """Return what the stages say of one photo; nothing is withheld.

        Args:
            image: (H, W, 3) uint8 RGB.
            focal_px: EXIF focal length in pixels, where known.
            refiner: Instead of the place's own second stage.
        """
        proposals, spreads = self._propose([image])
        return self._decide(image, focal_px, proposals[0], spreads[0], refiner)

    def moved(
        self, answer: Localization, pose: Pose, confidence: float, *, agrees: bool
    ) -> Localization:
        """Return an answer that a video's other frames moved to another pose.

        Args:
            answer: Of the frame alone.
            pose: The frame's, by all together.
            confidence: In it.
            agrees: Whether the frame's own answer does; inliers of one let go say nothing.
        """
        judged = Judged("smoothed", pose, answer.inliers if agrees else 0, confidence)
        return self._describe(answer.image, judged, answer.seconds, answer.timestamp_s)

    def _propose(self, images: Sequence[Image]) -> tuple[list[Pose | None], list[float | None]]:
        if self._network is None:
            return [None] * len(images), [None] * len(images)
        poses, spread = predict_with_spread(self._network, images)
        doubts: list[float | None] = [None] * len(images)
        if spread is not None:
            doubts = [float(s) for s in spread]
        return [poses[i] for i in range(len(images))], doubts

    def _decide(
        self,
        image: Image,
        focal_px: float | None,
        proposal: Pose | None,
        spread: float | None,
        refiner: MapRefiner | None = None,
    ) -> Judged:
        refiner = refiner or self._refiner
        model = self.confidence.model
        if refiner is None or self._map_camera is None:
            if proposal is None:
                return Judged("unknown")
            regressed = Judged("regressed", proposal, proposal=proposal, spread=spread)
            return replace(regressed, confidence=model.of_regressed(spread, None))
        from sightline.reconstruction.refine import camera_for_photo

        height, width = image.shape[:2]
        camera = camera_for_photo(self._map_camera, width, height, focal_px)
        in_map = None if proposal is None else self._world_from_map.inverse().apply_pose(proposal)
        found = refiner.refine(image, camera, in_map)
        said = Judged("unknown", similarity=found.similarity, proposal=proposal, spread=spread)
        if found.map_from_cam is not None and found.evidence is not None:
            pose = self._world_from_map.apply_pose(found.map_from_cam)
            evidence = found.evidence.scaled(self._world_from_map.scale)
            said = replace(
                said, status="refined", pose=pose, inliers=found.inliers, evidence=evidence
            )
            return replace(said, confidence=model.of_refined(evidence, said.network_apart))
        if proposal is not None and found.similarity >= FAMILIAR:
            likely = model.of_regressed(spread, found.similarity)
            return replace(said, status="regressed", pose=proposal, confidence=likely)
        return said

    def _describe(
        self,
        name: str,
        judged: Judged,
        seconds: float,
        timestamp_s: float | None,
    ) -> Localization:
        if judged.confidence < self.confidence.least:
            judged = replace(judged, status="unknown", pose=None, inliers=0)
        pose = judged.pose
        raw = walkable = on_walkable = heading = None
        if pose is not None:
            heading = float(heading_without_plan_deg(pose))
        if pose is not None and self._plan is not None and self._walkable is not None:
            px = self._plan.to_px(pose.translation)
            nearest = self._walkable.nearest_px(px[None])[0]
            raw = (float(px[0]), float(px[1]))
            on_walkable = bool(self._walkable.is_walkable(px[None])[0])
            walkable = raw if on_walkable else (float(nearest[0]), float(nearest[1]))
            heading = float(self._plan.heading_deg(pose))
        return Localization(
            image=name,
            status=judged.status,
            world_from_cam=pose,
            unit=self.place.unit,
            plan_xy_px=raw,
            walkable_xy_px=walkable,
            on_walkable=on_walkable,
            heading_deg=heading,
            confidence=judged.confidence,
            inliers=judged.inliers,
            seconds=seconds,
            timestamp_s=timestamp_s,
        )


def localize_source(
    localizer: Localizer,
    source: Path,
    *,
    fps: float = 2.0,
    batch: int = 8,
    on_photo: OnPhoto = lambda _image, _focal_px, _answer: None,
) -> Iterator[Localization]:
    """Yield answers for a photo, a folder of photos, or a video (with timestamps).

    Args:
        localizer: The place's localiser.
        source: A photo, a folder or a video.
        fps: Frames a second taken of a video.
        batch: Photos given to the network at once.
        on_photo: Called with each photo, its EXIF focal length and its answer, in order.

    Raises:
        MediaError: The source is none of these, or cannot be read.
        InputError: The source does not exist.
    """
    items: list[tuple[str, Image, float | None, float | None]] = []
    try:
        for item in _read_source(source, fps):
            items.append(item)
            if len(items) == batch:
                yield from _flush(localizer, items, on_photo)
                items = []
    except MediaError:
        # A damaged photo does not cost the answers of those before it.
        if items:
            yield from _flush(localizer, items, on_photo)
        raise
    if items:
        yield from _flush(localizer, items, on_photo)


def _flush(
    localizer: Localizer,
    items: list[tuple[str, Image, float | None, float | None]],
    on_photo: OnPhoto,
) -> list[Localization]:
    names, images, focals, stamps = zip(*items, strict=True)
    answers = localizer.localize(images, names, focals_px=focals, timestamps_s=stamps)
    for image, focal, answer in zip(images, focals, answers, strict=True):
        on_photo(image, focal, answer)
    return answers


def _read_source(
    source: Path, fps: float
) -> Iterator[tuple[str, Image, float | None, float | None]]:
    from sightline.media.photo import exif_focal_px, list_photos, photo_kind, read_photo
    from sightline.media.video import iter_frames

    if not source.exists():
        raise InputError(f"a photo, a folder of photos or a video is wanted; {source} is not there")
    if source.is_dir() or photo_kind(_head(source)) is not None:
        for path in list_photos(source) if source.is_dir() else [source]:
            yield path.name, read_photo(path), exif_focal_px(path), None
        return
    for frame in iter_frames(source, fps=fps):
        yield f"{source.name}#{frame.timestamp_s:.3f}", frame.image, None, frame.timestamp_s


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(16)


def _open_refiner(
    place: Place, without_frames: Collection[str]
) -> tuple[MapRefiner | None, Camera | None]:
    if not place.model_dir.is_dir():
        return None, None
    from sightline.reconstruction.refine import Refiner

    refiner = Refiner.open(place, without_frames)
    return refiner, refiner.index.camera
