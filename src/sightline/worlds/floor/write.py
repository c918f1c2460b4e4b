"""A floor as files: the mapping walk's video and its truth, the second walk, the plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import InputError, RenderError
from sightline.geometry import Camera
from sightline.geometry.rotation import Array
from sightline.media.encode import write_video
from sightline.media.masks import mask_name, write_mask
from sightline.records.depth import (
    DEPTH_CSV,
    DepthImage,
    DepthSet,
    write_depth_png_mm,
    write_depth_set,
)
from sightline.records.files import atomic_path, digest, read_toml, write_toml
from sightline.records.frames import PosedFrame, write_poses_csv
from sightline.worlds.floor.config import FloorConfig
from sightline.worlds.floor.geometry import build_floor
from sightline.worlds.floor.people import Crowd
from sightline.worlds.floor.plan import write_plan
from sightline.worlds.floor.walks import (
    mapping_pose,
    mapping_walk,
    second_exposures,
    second_walk,
)
from sightline.worlds.renderer import MeshRenderer

Progress = Callable[[str, float], None]

#: How a phone held upright stores its frames: lying, to be turned when shown.
ROTATION_DEG = 90
VIDEO_CRF = 20
JPEG_QUALITY = 93
#: Folder of the second walk's depth.
SECOND_DEPTH = "depth"
_FORMAT = 1


@dataclass(frozen=True)
class FloorFiles:
    """What :func:`write_floor` wrote.

    Attributes:
        root: The folder.
        video: The mapping walk, portrait, H.264.
        truth: ``poses.csv`` format; one row a video frame, with its timestamp.
        camera: True intrinsics of all pictures, upright.
        second_images: The second walk's photos.
        second_truth: ``poses.csv`` of the photos.
        second_depth: ``depth.csv`` of the photos, beside a folder of their exact depth.
        plan: ``plan.toml``, beside ``plan.png`` and ``walkable.png``.
        masks: One mask a video frame, named as in ``truth``, black where it shows a person; only
            where the floor has people.
    """

    root: Path
    video: Path
    truth: Path
    camera: Path
    second_images: Path
    second_truth: Path
    second_depth: Path
    plan: Path
    masks: Path

    @classmethod
    def at(cls, root: Path) -> FloorFiles:
        """Return the names of a floor's files in a folder."""
        second = root / "second"
        return cls(
            root, root / "video.mp4", root / "truth.csv", root / "camera.toml",
            second / "images", second / "poses.csv", second / DEPTH_CSV, root / "plan.toml",
            root / "masks",
        )  # fmt: skip


def write_floor(
    destination: Path, config: FloorConfig, progress: Progress | None = None
) -> FloorFiles:
    """Render a floor into a folder and return its files.

    The folder appears when everything is in it. A folder already written from the same config is
    left as it is; where an older version wrote it, the depth of its second walk is added.

    Args:
        destination: A new or empty folder, or a floor written before.
        config: The floor.
        progress: Called with a stage's name and the fraction done, 0 to 1.

    Raises:
        InputError: The folder holds other things.
        RenderError: There is no EGL.
    """
    report = progress or (lambda stage, fraction: None)
    made_from = _made_from(config)
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        marker = destination / "floor.toml"
        if marker.is_file() and read_toml(marker).get("digest") == made_from:
            files = FloorFiles.at(destination)
            if not files.second_depth.is_file():
                _add_second_depth(files, config, report)
            report("floor is there", 1.0)
            return files
        raise InputError(
            f"a new or empty folder is wanted, {destination} holds other things; choose another "
            "(nothing was changed)"
        )
    with atomic_path(destination) as temporary:
        _write_all(FloorFiles.at(temporary), config, report)
        write_toml(temporary / "floor.toml", {"digest": made_from, "config": asdict(config)})
    return FloorFiles.at(destination)


def _made_from(config: FloorConfig) -> str:
    """Return a digest of the config; floors without people keep the one of older versions."""
    content = asdict(config)
    if not config.people:
        del content["people"]
    return digest(_FORMAT, content)


def _write_all(files: FloorFiles, config: FloorConfig, report: Progress) -> None:
    files.second_images.mkdir(parents=True)
    report("building the floor", 0.0)
    world = build_floor(config)
    write_plan(files.root, world.layout)
    write_camera(files.camera, config.camera)
    walk = mapping_walk(config)
    frames = [PosedFrame(f"{i:06d}", t, pose) for i, (t, pose) in enumerate(walk)]
    write_poses_csv(files.truth, frames)
    crowd = Crowd(world) if config.people else None
    with MeshRenderer(world if crowd is None else crowd.world) as renderer:
        noise = _SensorNoise(config)
        shots = _Shots(renderer, config, crowd, files.masks)
        video = _video_frames(shots, config, noise, report)
        write_video(
            files.video, video, fps=config.video_fps, rotation_deg=ROTATION_DEG, crf=VIDEO_CRF
        )
        _write_second_walk(files, renderer, config, noise, report)
        _write_second_depth(files, renderer, config)
    report("floor is written", 1.0)


def _video_frames(
    shots: _Shots, config: FloorConfig, noise: _SensorNoise, report: Progress
) -> Iterator[NDArray[np.uint8]]:
    """Yield upright frames: renderings spread over the shutter time, averaged, with noise."""
    walk = mapping_walk(config)
    # Middles of equal parts: their mean is the frame's own time, to which the truth belongs.
    parts = (np.arange(config.blur_samples) + 0.5) / config.blur_samples - 0.5
    for i, (stamp, _) in enumerate(walk):
        yield noise.add(shots.take(f"{i:06d}", stamp + parts * config.shutter_s))
        report("rendering the mapping walk", 0.95 * (i + 1) / len(walk))


def _write_second_walk(
    files: FloorFiles,
    renderer: MeshRenderer,
    config: FloorConfig,
    noise: _SensorNoise,
    report: Progress,
) -> None:
    frames: list[PosedFrame] = []
    exposures = second_exposures(config)
    for i, (stamp, pose) in enumerate(second_walk(config)):
        picture = renderer.render_rgb(pose, config.camera, exposure=float(exposures[i]))
        name = f"{i:04d}.jpg"
        Image.fromarray(noise.add(picture.astype(np.uint16))).save(
            files.second_images / name, quality=JPEG_QUALITY
        )
        frames.append(PosedFrame(name, stamp, pose))
        report("rendering the second walk", 0.95 + 0.05 * (i + 1) / config.second_frames)
    write_poses_csv(files.second_truth, frames)


def _add_second_depth(files: FloorFiles, config: FloorConfig, report: Progress) -> None:
    """Add the depth that older versions did not write; without EGL the floor stays as it was."""
    report("rendering the second walk's depth", 0.0)
    try:
        renderer = MeshRenderer(build_floor(config))
    except RenderError as error:
        report(f"the second walk has no depth: {error}", 0.5)
        return
    with renderer:
        _write_second_depth(files, renderer, config)


def _write_second_depth(files: FloorFiles, renderer: MeshRenderer, config: FloorConfig) -> None:
    """Write the photos' exact depth, not among the photos, and last the list of both."""
    root, camera, items = files.second_depth.parent, config.camera, []
    folder = root / SECOND_DEPTH
    folder.mkdir(exist_ok=True)
    for i, (_, pose) in enumerate(second_walk(config)):
        image = files.second_images.relative_to(root) / f"{i:04d}.jpg"
        depth = Path(SECOND_DEPTH, f"{i:04d}.png")
        write_depth_png_mm(root / depth, renderer.render_depth(pose, camera))
        intrinsics = (camera.fx, camera.fy, camera.cx, camera.cy)
        items.append(
            DepthImage(image, depth, split="test", source="second walk", intrinsics=intrinsics)
        )
    write_depth_set(DepthSet("floor", root, tuple(items)))


def write_camera(path: Path, camera: Camera) -> None:
    """Write a camera's model, size and parameters as TOML."""
    write_toml(
        path,
        {
            "model": camera.model,
            "width": camera.width,
            "height": camera.height,
            "params": list(camera.params),
        },
    )


class _Shots:
    """Pictures along the mapping walk, blurred by its motion; masks of the people in them."""

    def __init__(
        self, renderer: MeshRenderer, config: FloorConfig, crowd: Crowd | None, masks: Path
    ) -> None:
        self._renderer, self._config, self._crowd, self._masks = renderer, config, crowd, masks
        if crowd is not None:
            masks.mkdir()

    def take(self, name: str, seconds: Array) -> NDArray[np.uint16]:
        """Return the mean of the pictures at some times; its mask holds whoever is in any."""
        config, poses = self._config, mapping_pose(self._config, seconds)
        total = np.zeros((config.image_height, config.image_width, 3), np.uint16)
        people = np.zeros(total.shape[:2], bool)
        for part, second in enumerate(seconds):
            if self._crowd is None:
                total += self._renderer.render_rgb(poses[part], config.camera)
                continue
            picture, seen = self._crowd.photograph(
                self._renderer, float(second), poses[part], config.camera
            )
            total += picture
            people |= seen
        if self._crowd is not None:
            write_mask(self._masks / mask_name(name), ~people)
        return total // len(seconds)


class _SensorNoise:
    """Gaussian noise, drawn once and shifted from frame to frame (drawing is slow)."""

    def __init__(self, config: FloorConfig) -> None:
        self._rng = np.random.default_rng([config.seed, 6])
        shape = (config.image_height + 64, config.image_width + 64, 3)
        drawn = self._rng.standard_normal(shape, dtype=np.float32) * config.noise
        self._pool = np.rint(drawn).astype(np.int16)

    def add(self, picture: NDArray[np.uint16]) -> NDArray[np.uint8]:
        """Return the picture (0..255) with noise, as bytes."""
        height, width = picture.shape[:2]
        y, x = self._rng.integers(0, 65, 2)
        noisy = picture.astype(np.int16) + self._pool[y : y + height, x : x + width]
        clipped: NDArray[np.uint8] = np.clip(noisy, 0, 255).astype(np.uint8)
        return clipped
