"""Refinement: a photo's SIFT features matched to map points, then PnP with RANSAC.

The second stage of localisation. A proposal (from a network) and appearance name the map frames
worth matching; the pose is believed only on inliers (structure-based localisation as in Sattler et
al. 2017, with image retrieval as in Sarlin et al. 2019), and only where they are a fair share of
what the map shows from there: buildings repeat their doors, posters and furniture.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.reconstruction.evidence import MatchedPose, PoseEvidence, evidence_of
from sightline.reconstruction.features import FeatureExtractor, Features
from sightline.reconstruction.map_index import MapIndex
from sightline.reconstruction.retrieval import similar
from sightline.reconstruction.two_view.matching import mutual_ratio_matches
from sightline.records import Place
from sightline.records.colmap import estimate_absolute_pose

#: EXIF focal lengths are whole millimetres of film; farther off is another lens.
_SAME_LENS = 0.15

#: Frames whose points tell from how far a place is seen.
_FRAMES_ASKED = 50


@dataclass(frozen=True)
class RefineConfig:
    """How hard refinement tries, and what it believes."""

    by_proposal: int = 5
    """Map frames taken for lying near the proposal."""
    by_appearance: int = 12
    """Map frames taken for looking alike."""
    first_round: int = 6
    """Frames matched before the rest are tried."""
    ratio: float = 0.8
    """Lowe's ratio between the best and the second-best distance."""
    max_error: float = 0.008
    """Largest reprojection error of an inlier, as a share of the longer image side."""
    min_inliers: int = 20
    """Fewest inliers of an answer that is believed."""
    sure_inliers: int = 60
    """With this many inliers the first round is enough."""
    min_inlier_share: float = 0.15
    """Smallest share of the matches that must be inliers."""
    min_support: float = 0.25
    """Smallest share of the map points in view that must be inliers (or of the photo's features,
    where it has fewer)."""
    free_focal_gain: float = 1.1
    """A focal length found from the matches is believed with so many times the inliers."""
    seed: int = 0
    """Seed of RANSAC."""


@dataclass(frozen=True, eq=False)
class Refinement:
    """What matching a photo to the map gave.

    Attributes:
        map_from_cam: The pose in the map's own frame, None where too few matches agree.
        inliers: Matches that agree with the pose (0 where there is none).
        matches: 2D-3D matches tried.
        similarity: Appearance similarity to the most similar map frame, relative to what the map's
            own frames reach (1 = typical of this place).
        camera: The intrinsics that the pose holds for; None where there is none.
        seen: (K,) rows of the map's points that agree with the pose, each once.
        found: The pose with its matches; None where there is none.
        support: Inliers as a share of the map points to expect.
    """

    map_from_cam: Pose | None
    inliers: int
    matches: int
    similarity: float
    camera: Camera | None = None
    seen: NDArray[np.int64] | None = None
    found: MatchedPose | None = None
    support: float = 0.0

    @cached_property
    def evidence(self) -> PoseEvidence | None:
        """What speaks for the pose, worked out when it is asked for; None where there is none."""
        if self.found is None:
            return None
        return evidence_of(self.found, self.support, self.similarity)


class Refiner:
    """Localises photos in one map; safe to call from several threads."""

    def __init__(
        self, index: MapIndex, extractor: FeatureExtractor, config: RefineConfig | None = None
    ) -> None:
        """Match against ``index`` with features extracted as the map's were."""
        self.index = index
        self.config = config or RefineConfig()
        self._extractor = extractor
        self._view_directions = index.world_from_cam.rotation_matrix[:, :, 2]

    @classmethod
    def open(cls, place: Place, without_frames: Collection[str] = ()) -> Refiner:
        """Return what localises in a place's map.

        Args:
            place: With a reconstruction.
            without_frames: Frames whose observations are not matched.

        Raises:
            PlaceError: The place has no reconstruction, or one that a build is just remaking.
        """
        features = place.content.get("features", {})
        extractor = FeatureExtractor(
            int(features.get("max_image_size", 1600)), int(features.get("max_num_features", 4000))
        )
        return cls(MapIndex.open(place).without_frames(set(without_frames)), extractor)

    def without_frames(self, names: Collection[str], config: RefineConfig | None = None) -> Refiner:
        """Return the same without some frames' observations.

        Args:
            names: Frames whose observations are not matched.
            config: How hard it tries and what it believes; as here where None.
        """
        index = self.index.without_frames(set(names))
        return Refiner(index, self._extractor, config or self.config)

    @property
    def viewing_distance(self) -> float:
        """Median distance from the frames to the points they see, in the map's unit."""
        index = self.index
        steps = np.linspace(0, len(index.names) - 1, min(len(index.names), _FRAMES_ASKED))
        away = []
        for frame in np.unique(steps.astype(np.int64)).tolist():
            points = index.points[index.observations(frame)[1]]
            away.append(np.linalg.norm(points - index.world_from_cam.translation[frame], axis=1))
        return float(np.median(np.concatenate(away)))

    def refine(
        self, image: NDArray[np.uint8], camera: Camera, proposal: Pose | None = None
    ) -> Refinement:
        """Return the pose of one photo.

        Args:
            image: (H, W, 3) uint8 RGB.
            camera: The photo's likely intrinsics, for an image of this size. Where the matches
                speak clearly for another focal length, that one is taken.
            proposal: A rough ``map_from_cam`` in the map's own frame, or None.
        """
        features = self._extractor.extract(image)
        if len(features.descriptors) < self.config.min_inliers:
            return Refinement(None, 0, 0, 0.0)
        matches = _PhotoMatches(self.index, features, self.config.ratio)
        candidates, similarity = self._candidates(features, proposal)
        frames = candidates[: self.config.first_round]
        best = self._solve(matches, frames, camera)
        if best.inliers < self.config.sure_inliers:
            frames = candidates
            best = _better(best, self._solve(matches, frames, camera))
        if best.pose is not None:
            near = self.near(best.pose, self.config.first_round)
            frames = np.array(list(dict.fromkeys([*frames, *near])), dtype=np.int64)
            best = _better(best, self._solve(matches, frames, camera))
        free = self._solve(matches, frames, camera, free_focal=True)
        if free.inliers > self.config.free_focal_gain * best.inliers:
            best = free
        support = self._support(best, features)
        if best.pose is None or support < self.config.min_support:
            return Refinement(None, 0, best.matches, similarity)
        return Refinement(
            best.pose, best.inliers, best.matches, similarity, best.camera, best.seen, best.found,
            support,
        )  # fmt: skip

    def _candidates(
        self, features: Features, proposal: Pose | None
    ) -> tuple[NDArray[np.int64], float]:
        appearance = self.index.vocabulary.describe(features.descriptors)
        known = self.index.global_descriptors
        (alike,), (scores,) = similar(appearance[None], known, self.config.by_appearance)
        similarity = float(scores[0] / max(self.index.typical_similarity, 1e-6))
        if proposal is None:
            return alike, similarity
        near = self.near(proposal, self.config.by_proposal)
        # Interleaved, so that the first round hears both advisers.
        mixed = [f for pair in zip(alike, near, strict=False) for f in pair] + list(alike)
        return np.array(list(dict.fromkeys(mixed)), dtype=np.int64), similarity

    def near(self, map_from_cam: Pose, count: int) -> NDArray[np.int64]:
        """Return up to ``count`` frames taken near a pose and looking the same way, best first."""
        centers = self.index.world_from_cam.translation
        spread = float(np.linalg.norm(centers.std(axis=0))) or 1.0
        distance = np.linalg.norm(centers - map_from_cam.translation, axis=1) / spread
        turned = 1.0 - self._view_directions @ map_from_cam.rotation_matrix[:, 2]
        return np.argsort(distance + turned)[:count]

    def _solve(
        self,
        matches: _PhotoMatches,
        frames: NDArray[np.int64],
        camera: Camera,
        *,
        free_focal: bool = False,
    ) -> _Answer:
        keypoints, points = matches.to_frames(frames)
        count = len(keypoints)
        if free_focal:
            camera = _pinhole(camera)
        keypoints_px = matches.features.keypoints_px[keypoints]
        max_error_px = self.config.max_error * max(camera.width, camera.height)
        answer = estimate_absolute_pose(
            keypoints_px,
            self.index.points[points],
            camera,
            max_error_px=max_error_px,
            min_inliers=self.config.min_inliers,
            seed=self.config.seed,
            free_focal=free_focal,
        )
        if answer is None or not _is_plausible(answer.camera):
            return _Answer(None, 0, count, camera)
        # One keypoint may be matched to one point through several frames: count it once.
        inliers = len(np.unique(keypoints[answer.inliers]))
        if inliers < max(self.config.min_inliers, self.config.min_inlier_share * count):
            return _Answer(None, 0, count, camera)
        seen = np.unique(points[answer.inliers])
        found = MatchedPose(
            pose=answer.world_from_cam,
            camera=answer.camera,
            keypoints=keypoints,
            keypoints_px=keypoints_px,
            points=self.index.points[points],
            agree=answer.inliers,
            max_error_px=max_error_px,
        )
        return _Answer(answer.world_from_cam, inliers, count, answer.camera, seen, found)

    def _support(self, answer: _Answer, features: Features) -> float:
        """Return the inliers as a share of those to expect at this pose.

        To expect are the points of the frame taken nearest to it, as far as they lie in the photo;
        fewer where the photo has fewer features (it is blurred, dark, small).
        """
        if answer.pose is None:
            return 0.0
        in_view = 0
        for frame in self.near(answer.pose, self.config.by_proposal):
            rows = self.index.observations(int(frame))[1]
            seen = answer.pose.inverse().apply(self.index.points[rows])
            px = answer.camera.project(seen)
            size = (answer.camera.width, answer.camera.height)
            # NaN, for points behind the camera, is not within.
            in_view = max(in_view, int(((px >= -0.5) & (px < size)).all(axis=1).sum()))
        return answer.inliers / max(1, min(in_view, len(features.descriptors)))


@dataclass(frozen=True, eq=False)
class _Answer:
    """A pose or none: inliers, number of matches, camera it holds for, points seen, matches."""

    pose: Pose | None
    inliers: int
    matches: int
    camera: Camera
    seen: NDArray[np.int64] | None = None
    found: MatchedPose | None = None


def _better(a: _Answer, b: _Answer) -> _Answer:
    return b if b.inliers > a.inliers else a


class _PhotoMatches:
    """One photo's matches to map frames; each frame is matched once."""

    def __init__(self, index: MapIndex, features: Features, ratio: float) -> None:
        self.features = features
        self._index = index
        self._ratio = ratio
        self._unit = _unit(features.descriptors)
        self._found: dict[int, NDArray[np.int64]] = {}

    def to_frames(self, frames: Iterable[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return (keypoint, row of ``points``) pairs, each pair once."""
        found = [self._to_frame(int(frame)) for frame in frames]
        pairs = np.unique(np.concatenate([np.zeros((0, 2), np.int64), *found]), axis=0)
        return pairs[:, 0], pairs[:, 1]

    def _to_frame(self, frame: int) -> NDArray[np.int64]:
        if frame not in self._found:
            descriptors, rows = self._index.observations(frame)
            if len(rows) < 2:
                self._found[frame] = np.zeros((0, 2), np.int64)
            else:
                keypoints, seen = mutual_ratio_matches(self._unit, _unit(descriptors), self._ratio)
                self._found[frame] = np.stack([keypoints, rows[seen]], axis=1)
        return self._found[frame]


def _unit(descriptors: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = descriptors.astype(np.float32)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6)
    return values


def camera_for_photo(map_camera: Camera, width: int, height: int, focal_px: float | None) -> Camera:
    """Return the intrinsics to assume for a photo.

    The map's own camera where the photo has its shape (at any size, or turned by 90 degrees) and
    EXIF does not tell of another lens; else a pinhole with the EXIF focal length; else one with the
    map camera's field of view.

    Args:
        map_camera: The camera the place was mapped with.
        width: Photo width in pixels.
        height: Photo height in pixels.
        focal_px: Focal length from EXIF in pixels of this photo, or None.
    """
    for held in (map_camera, _turned(map_camera)):
        if abs(width / height - held.width / held.height) <= 0.01 * width / height:
            camera = _stretched(held, width, height)
            focal = np.sqrt(camera.fx * camera.fy)
            if focal_px is None or abs(focal_px - focal) <= _SAME_LENS * focal:
                return camera
            break
    side = max(width, height)
    guess = map_camera.fx / max(map_camera.width, map_camera.height) * side
    focal = focal_px if focal_px is not None else guess
    return Camera("SIMPLE_PINHOLE", width, height, (focal, (width - 1) / 2, (height - 1) / 2))


def _stretched(camera: Camera, width: int, height: int) -> Camera:
    """Return the camera at another size, whose shape may differ by a rounded pixel."""
    sx, sy = width / camera.width, height / camera.height
    two = len(camera.params) - len(camera.distortion) == 4
    focals = (camera.fx * sx, camera.fy * sy) if two else (camera.fx * float(np.sqrt(sx * sy)),)
    centre = ((camera.cx + 0.5) * sx - 0.5, (camera.cy + 0.5) * sy - 0.5)
    return Camera(camera.model, width, height, (*focals, *centre, *camera.distortion))


def _turned(camera: Camera) -> Camera:
    """Return the camera held turned by 90 degrees, to whichever side.

    The side decides where the principal point's offset and the tangential distortion go: they are
    left out; radial distortion stays.
    """
    width, height = camera.height, camera.width
    two = len(camera.params) - len(camera.distortion) == 4
    focals = (camera.fy, camera.fx) if two else (camera.fx,)
    distortion = (*camera.distortion[:2], 0.0, 0.0)[: len(camera.distortion)]
    centre = ((width - 1) / 2, (height - 1) / 2)
    return Camera(camera.model, width, height, (*focals, *centre, *distortion))


def _pinhole(camera: Camera) -> Camera:
    centre = ((camera.width - 1) / 2, (camera.height - 1) / 2)
    return Camera("SIMPLE_PINHOLE", camera.width, camera.height, (camera.fx, *centre))


def _is_plausible(camera: Camera) -> bool:
    """Return whether the field of view is one that lenses of phones and cameras have."""
    return 0.25 < camera.fx / max(camera.width, camera.height) < 5.0
