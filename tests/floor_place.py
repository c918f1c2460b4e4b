"""A short walk through a rendered floor as a real video, the place built of it, exact truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.app.align import AlignConfig, align
from sightline.app.build import BuildConfig, FramesConfig, build
from sightline.geometry import Camera, Pose
from sightline.media.encode import write_video
from sightline.reconstruction.config import ReconstructionConfig
from sightline.records import FloorPlan, Place
from sightline.records.colmap import read_model
from sightline.worlds.floor import FloorConfig
from sightline.worlds.floor.geometry import build_floor
from sightline.worlds.floor.plan import write_plan
from sightline.worlds.floor.walks import mapping_pose
from sightline.worlds.renderer import MeshRenderer

FPS = 5
FRAMES = 28
#: 15 % off the focal length that the map's camera suggests for a square photo.
OTHER_LENS = Camera("SIMPLE_PINHOLE", 300, 300, (0.85 * 216.49 / 320 * 300, 149.5, 149.5))
#: The walk's own clock: along a corridor and into a corner; and half a round away from it.
FIRST_S, STEP_S = 2.6, 0.15
FAR_S = 20.0
ROTATION_DEG = 90
CONFIG = BuildConfig(
    frames=FramesConfig(fps=FPS),
    reconstruction=ReconstructionConfig(quality="low", threads=1),
)


@dataclass(frozen=True, eq=False)
class FloorPlace:
    """A built and aligned place, and what is true.

    Attributes:
        root: The place.
        video: What it was built of.
        camera: True intrinsics of all pictures.
        true_frames: (FRAMES,) world_from_cam of the video's frames.
        plan: The floor's own plan, in the world of the truth.
        pictures: The video's frames, before it was coded.
        queries: Photos from beside the walk.
        true_queries: (Q,) world_from_cam of the photos.
        other_lens: The same poses through a lens of another field of view, in another shape, which
            EXIF does not tell.
        elsewhere: Photos of other floors, noise, black.
        control: ``control.csv``, exact.
    """

    root: Path
    video: Path
    camera: Camera
    true_frames: Pose
    plan: FloorPlan
    pictures: list[NDArray[np.uint8]]
    queries: list[Path]
    true_queries: Pose
    other_lens: list[Path]
    elsewhere: list[Path]
    control: Path

    @property
    def place(self) -> Place:
        return Place.open(self.root)


def floor_config(seed: int = 3) -> FloorConfig:
    return FloorConfig(seed=seed, image_width=240, image_height=320)


def walk_poses(first_s: float = FIRST_S) -> Pose:
    return mapping_pose(floor_config(), first_s + STEP_S * np.arange(FRAMES))


def beside(poses: Pose, seed: int, count: int) -> Pose:
    """Return poses up to 15 cm and 8 degrees off some of the walk's."""
    rng = np.random.default_rng(seed)
    rows = np.linspace(2, len(poses) - 3, count).round().astype(int)
    shift = rng.uniform([-0.15, -0.15, -0.08], [0.15, 0.15, 0.08], (count, 3))
    turn = Rotation.from_euler(
        "ZYX", rng.uniform([-8, -3, -3], [8, 3, 3], (count, 3)), degrees=True
    )
    moved = turn * Rotation.from_matrix(poses[rows].rotation_matrix)
    return Pose.from_rotation(moved, poses[rows].translation + shift)


def noisy(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(picture + rng.normal(0, 2.0, picture.shape), 0, 255).astype(np.uint8)


def render(
    renderer: MeshRenderer,
    poses: Pose,
    camera: Camera | None = None,
    exposures: Sequence[float] = (),
) -> list[NDArray[np.uint8]]:
    """Return pictures with a little sensor noise."""
    rng = np.random.default_rng(1)
    camera = camera or floor_config().camera
    factors = exposures or [1.0] * len(poses)
    return [
        noisy(renderer.render_rgb(poses[i], camera, exposure=factors[i]), rng)
        for i in range(len(poses))
    ]


def write_photos(
    folder: Path, pictures: Sequence[NDArray[np.uint8]], stem: str = "photo"
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}-{i}.jpg" for i in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(picture).save(path, quality=93)
    return paths


def control_csv(
    path: Path, place: Place, poses: Pose, renderer: MeshRenderer, every: int = 4
) -> Path:
    """Write control points: true centres of some frames, and true positions of map points.

    The centres of a short walk lie nearly on a line, about which they cannot tell how the map is
    turned; points on the walls can.
    """
    names = [frame.image for frame in place.frames()]
    centres = poses.translation
    rows = [f"{names[i]},,{_metres(centres[i])}" for i in range(0, len(names), every)]
    model = read_model(place.model_dir)
    known = dict(zip(model.point_ids.tolist(), model.track_lengths.tolist(), strict=True))
    for i in (2, len(names) // 2, len(names) - 3):
        frame, camera = model.frames[names[i]], floor_config().camera
        _, depth = renderer.render(poses[i], camera)
        seen = [k for k, p in enumerate(frame.point_ids.tolist()) if known.get(p, 0) >= 8][:200:20]
        for k in seen:
            column, row = frame.keypoints_px[k].round().astype(int)
            ray = camera.unproject(frame.keypoints_px[k])
            xyz = poses[i].apply(ray * float(depth[row, column]))
            rows.append(f",{frame.point_ids[k]},{_metres(xyz)}")
    path.write_text("\n".join(["frame,point_id,x,y,z", *dict.fromkeys(rows)]) + "\n")
    return path


def _metres(xyz: NDArray[np.float64]) -> str:
    return ",".join(f"{v:.4f}" for v in xyz)


def make_floor_place(folder: Path) -> FloorPlace:
    """Return everything, written into a folder."""
    config, world = floor_config(), build_floor(floor_config())
    poses, video = walk_poses(), folder / "walk.mp4"
    plan = write_plan(folder, world.layout)
    queries, far = beside(poses, seed=0, count=8), beside(walk_poses(FAR_S), seed=1, count=4)
    exposures = np.linspace(0.8, 1.2, 8).tolist()
    with MeshRenderer(world) as renderer:
        pictures = render(renderer, poses)
        # Lossless: x264 compresses the same frames now one way, now another, and the map follows.
        write_video(video, pictures, fps=FPS, rotation_deg=ROTATION_DEG, crf=0)
        photos = write_photos(folder / "queries", render(renderer, queries, exposures=exposures))
        lens = write_photos(folder / "lens", render(renderer, queries, OTHER_LENS))
        # The same doors, tiles and furniture, half a round away.
        away = render(renderer, far)
        place = build(video, folder / "place", CONFIG)
        control = control_csv(folder / "control.csv", place, poses, renderer)
    with MeshRenderer(build_floor(floor_config(seed=11))) as renderer:
        away += render(renderer, far)
    noise = np.random.default_rng(2).integers(0, 256, (320, 240, 3), dtype=np.uint8)
    align_by_control(place, control)
    return FloorPlace(
        root=place.root,
        video=video,
        camera=config.camera,
        true_frames=poses,
        plan=plan,
        pictures=pictures,
        queries=photos,
        true_queries=queries,
        other_lens=lens,
        elsewhere=write_photos(folder / "elsewhere", [*away, noise, np.zeros_like(noise)]),
        control=control,
    )


def align_by_control(place: Place, control: Path) -> None:
    """Align by control points and attach the plan that lies beside them."""
    picture, mask = control.with_name("plan.png"), control.with_name("walkable.png")
    align(place, AlignConfig(control=control, plan=picture, walkable=mask))
