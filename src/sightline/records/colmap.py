"""COLMAP models in and out; the only file that knows COLMAP's conventions.

COLMAP stores ``cam_from_world`` (its ``t`` is not the camera's centre, PITFALLS 2) and puts pixel
(0, 0) on the corner of the top-left pixel, whose centre is (0.5, 0.5). Everything that leaves this
file is ``world_from_cam`` with pixel (0, 0) at that centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sightline.errors import InputError
from sightline.geometry import Camera, Pose, Similarity
from sightline.geometry.camera import CAMERA_MODELS
from sightline.geometry.rotation import Array
from sightline.records.colmap_files import check_model_files, has_model
from sightline.records.files import atomic_path

if TYPE_CHECKING:
    import pycolmap

#: COLMAP's pixel coordinates minus ours.
PIXEL_SHIFT = 0.5

ModelFormat = Literal["text", "binary"]


@dataclass(frozen=True, eq=False)
class MapFrame:
    """One registered frame of a map.

    Attributes:
        name: File name relative to the place's ``images/``.
        camera_id: Key of the map's ``cameras``.
        world_from_cam: In the map's frame.
        keypoints_px: (M, 2) all keypoints, in the order of the database.
        point_ids: (M,) int64 id of the map point each keypoint sees, -1 = none.
    """

    name: str
    camera_id: int
    world_from_cam: Pose
    keypoints_px: Array
    point_ids: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class MapModel:
    """A sparse map, in plain arrays.

    Attributes:
        cameras: Camera id -> camera.
        frames: Frame name -> registered frame, in the order of their names.
        point_ids: (P,) int64 ids, ascending; not the rows of ``points``.
        points: (P, 3) in the map's frame.
        colors: (P, 3) uint8 RGB.
        point_errors_px: (P,) mean reprojection error.
        track_lengths: (P,) int64 number of observations.
    """

    cameras: dict[int, Camera]
    frames: dict[str, MapFrame]
    point_ids: NDArray[np.int64]
    points: Array
    colors: NDArray[np.uint8]
    point_errors_px: Array
    track_lengths: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class AbsolutePose:
    """A camera pose found from 2D-3D matches.

    Attributes:
        world_from_cam: In the frame of the points.
        inliers: (N,) bool, the matches that agree with it.
        camera: The intrinsics it holds for: those given, but for a focal length left free.
    """

    world_from_cam: Pose
    inliers: NDArray[np.bool_]
    camera: Camera


def pixels_to_colmap(xy_px: ArrayLike) -> Array:
    """Return (..., 2) pixels in COLMAP's convention."""
    shifted: Array = np.asarray(xy_px, dtype=np.float64) + PIXEL_SHIFT
    return shifted


def pixels_from_colmap(xy_px: ArrayLike) -> Array:
    """Return (..., 2) pixels in our convention."""
    shifted: Array = np.asarray(xy_px, dtype=np.float64) - PIXEL_SHIFT
    return shifted


def camera_from_colmap(camera: pycolmap.Camera) -> Camera:
    """Return the camera with its principal point in our pixels.

    Raises:
        GeometryError: A camera model we do not know.
    """
    name = str(camera.model_name)
    return Camera(name, camera.width, camera.height, _shifted(name, camera.params, -PIXEL_SHIFT))


def camera_to_colmap(camera: Camera) -> pycolmap.Camera:
    """Return COLMAP's camera (id unset) with its principal point in COLMAP's pixels."""
    import pycolmap

    return pycolmap.Camera(
        model=camera.model,
        width=camera.width,
        height=camera.height,
        params=_shifted(camera.model, camera.params, PIXEL_SHIFT),
    )


def pose_from_colmap(cam_from_world: pycolmap.Rigid3d) -> Pose:
    """Return ``world_from_cam``."""
    q_xyzw = np.asarray(cam_from_world.rotation.quat)
    return Pose(np.roll(q_xyzw, 1), np.array(cam_from_world.translation)).inverse()


def pose_to_colmap(world_from_cam: Pose) -> pycolmap.Rigid3d:
    """Return COLMAP's ``cam_from_world``."""
    import pycolmap

    cam_from_world = world_from_cam.inverse()
    rotation = pycolmap.Rotation3d(np.roll(cam_from_world.q_wxyz, -1))
    return pycolmap.Rigid3d(rotation, cam_from_world.translation)


def cam_from_world_rows(world_from_cam: Pose) -> tuple[Array, Array]:
    """Return COLMAP's quaternions (N, 4) in ``wxyz`` order and its ``t`` (N, 3)."""
    cam_from_world = world_from_cam.inverse()
    return cam_from_world.q_wxyz, cam_from_world.translation


def read_reconstruction(folder: str | Path) -> pycolmap.Reconstruction:
    """Return a COLMAP model, binary or text, as COLMAP's own object.

    Its binary files are checked first: from damaged ones COLMAP never comes back.

    Raises:
        InputError: There is no readable model in the folder.
    """
    import pycolmap

    folder = Path(folder)
    if not has_model(folder):
        raise InputError(
            f"a COLMAP model (cameras, images, points3D as .bin or .txt) is wanted in {folder}; "
            "there is none"
        )
    check_model_files(folder)
    try:
        return pycolmap.Reconstruction(str(folder))
    except (ValueError, RuntimeError, IndexError) as error:  # IndexError: it was cut off
        reason = " ".join(str(error).split())
        raise InputError(f"the COLMAP model in {folder} cannot be read: {reason}") from error


def read_model(folder: str | Path) -> MapModel:
    """Return a COLMAP model, binary or text.

    Raises:
        InputError: There is no readable model in the folder.
        GeometryError: A camera model we do not know.
    """
    return model_from_colmap(read_reconstruction(folder))


def read_posed_images(folder: str | Path) -> dict[str, tuple[Pose, Camera | None]]:
    """Return pose and camera of a model's registered images, by name; its points are left alone.

    A camera is None where its model is one that we do not know (fisheyes and their like).

    Raises:
        InputError: There is no readable model in the folder.
    """
    reconstruction = read_reconstruction(folder)
    cameras: dict[int, Camera | None] = {}
    for number, camera in reconstruction.cameras.items():
        known = str(camera.model_name) in CAMERA_MODELS
        cameras[int(number)] = camera_from_colmap(camera) if known else None
    found = {
        str(image.name): (pose_from_colmap(image.cam_from_world()), cameras[int(image.camera_id)])
        for image in reconstruction.images.values()
        if image.has_pose
    }
    return dict(sorted(found.items()))


def model_from_colmap(reconstruction: pycolmap.Reconstruction) -> MapModel:
    """Return a COLMAP reconstruction as plain arrays in our conventions."""
    images = sorted(
        (image for image in reconstruction.images.values() if image.has_pose),
        key=lambda image: str(image.name),
    )
    point_ids = np.array(sorted(reconstruction.point3D_ids()), dtype=np.int64)
    points = [reconstruction.points3D[int(i)] for i in point_ids]
    return MapModel(
        cameras={int(k): camera_from_colmap(c) for k, c in reconstruction.cameras.items()},
        frames={str(image.name): _frame_from_colmap(image) for image in images},
        point_ids=point_ids,
        points=np.array([p.xyz for p in points], dtype=np.float64).reshape(-1, 3),
        colors=np.array([p.color for p in points], dtype=np.uint8).reshape(-1, 3),
        point_errors_px=np.array([p.error for p in points], dtype=np.float64),
        track_lengths=np.array([p.track.length() for p in points], dtype=np.int64),
    )


def export_model(
    folder_in: str | Path,
    folder_out: str | Path,
    format: ModelFormat = "text",  # noqa: A002  the word users know it by
    transform: Similarity | None = None,
) -> None:
    """Write a COLMAP model in another format, moved into another world frame.

    Args:
        folder_in: A COLMAP model.
        folder_out: Where to write; made, or replaced when whole.
        format: ``text`` or ``binary``.
        transform: ``new_from_old`` world frame.

    Raises:
        InputError: No readable model in ``folder_in``, or an unknown format.
    """
    if format not in ("text", "binary"):
        raise InputError(f"a model format of text, binary is wanted, {format!r} came")
    reconstruction = read_reconstruction(folder_in)
    if transform is not None:
        reconstruction.transform(_similarity_to_colmap(transform))
    with atomic_path(Path(folder_out)) as temporary:
        temporary.mkdir()
        write = reconstruction.write_text if format == "text" else reconstruction.write_binary
        write(str(temporary))


def estimate_absolute_pose(
    points_px: ArrayLike,
    points: ArrayLike,
    camera: Camera,
    *,
    max_error_px: float = 8.0,
    min_inliers: int = 12,
    seed: int = 0,
    free_focal: bool = False,
    max_trials: int = 10_000,
) -> AbsolutePose | None:
    """Return the camera pose that most 2D-3D matches agree on (LO-RANSAC, then refinement).

    Args:
        points_px: (N, 2) pixels, in our convention.
        points: (N, 3) the map points they show.
        camera: Intrinsics.
        max_error_px: Largest reprojection error of an inlier.
        min_inliers: Fewer give None.
        seed: Seed of the draw.
        free_focal: Find the focal length too, from the matches alone (P4Pf, Bujnak et al. 2008).
        max_trials: Draws at most, where few matches agree.

    Returns:
        None where no pose has ``min_inliers``.

    Raises:
        InputError: The two lists do not have the same length.
    """
    import pycolmap

    xy = pixels_to_colmap(points_px).reshape(-1, 2)
    xyz = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    if len(xy) != len(xyz):
        raise InputError(f"as many pixels as points are wanted, {len(xy)} and {len(xyz)} came")
    if len(xy) < max(min_inliers, 4):
        return None
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = max_error_px
    options.ransac.random_seed = seed
    options.ransac.max_num_trials = max_trials
    options.estimate_focal_length = free_focal
    refinement = pycolmap.AbsolutePoseRefinementOptions()
    refinement.refine_focal_length = free_focal
    used = camera_to_colmap(camera)
    found = pycolmap.estimate_and_refine_absolute_pose(xy, xyz, used, options, refinement)
    if found is None or found["num_inliers"] < min_inliers:
        return None
    # few and wrong matches may fit a focal length below zero best, which no camera has
    if free_focal and not (np.isfinite(used.params).all() and used.params[0] > 0):
        return None
    inliers = np.asarray(found["inlier_mask"], dtype=bool)
    return AbsolutePose(
        pose_from_colmap(found["cam_from_world"]),
        inliers,
        camera_from_colmap(used) if free_focal else camera,
    )


def _frame_from_colmap(image: Any) -> MapFrame:
    points2d = image.points2D
    xy = np.array([p.xy for p in points2d], dtype=np.float64).reshape(-1, 2)
    ids = np.array([p.point3D_id for p in points2d], dtype=np.uint64)
    return MapFrame(
        name=str(image.name),
        camera_id=int(image.camera_id),
        world_from_cam=pose_from_colmap(image.cam_from_world()),
        keypoints_px=pixels_from_colmap(xy),
        # COLMAP's "none" is the largest uint64, which is -1 as int64.
        point_ids=ids.astype(np.int64),
    )


def _similarity_to_colmap(similarity: Similarity) -> pycolmap.Sim3d:
    import pycolmap

    rotation = pycolmap.Rotation3d(np.roll(similarity.pose.q_wxyz, -1))
    return pycolmap.Sim3d(similarity.scale, rotation, similarity.pose.translation)


def _shifted(model: str, params: ArrayLike, shift: float) -> tuple[float, ...]:
    values = [float(v) for v in np.asarray(params)]
    if model in CAMERA_MODELS:
        first = CAMERA_MODELS[model][0]
        values[first : first + 2] = [v + shift for v in values[first : first + 2]]
    return tuple(values)
