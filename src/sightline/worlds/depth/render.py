"""One scene as files: its photos, their exact depth and their cameras."""

from __future__ import annotations

import json
import threading
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.geometry import Camera, Pose
from sightline.records.files import atomic_path
from sightline.worlds.depth.config import DepthWorldConfig
from sightline.worlds.depth.photograph import QUALITIES, Sky, develop
from sightline.worlds.depth.rooms import build_corridor, build_desk, build_room
from sightline.worlds.depth.scene import DepthScene, DepthWorkshop, View
from sightline.worlds.depth.streets import FAR_M, build_street
from sightline.worlds.renderer import MeshRenderer
from sightline.worlds.rooms.viewpoints import look_along

VIEWS_JSON = "views.json"
#: Photos are rendered so many times as fine, so that edges are smooth; depth is not.
FINER = 2
#: What 16-bit millimetres hold; farther is unknown.
MOST_M = 65.535
#: Share of the scenes with little texture.
PLAIN_SHARE = 0.12
_TRIES = 10
#: Nothing of a good photo is nearer, and its near and far parts differ at least by this factor.
_NEAREST_M, _RELIEF = 0.3, 1.7
_BUILDERS = {
    "room": build_room, "desk": build_desk, "corridor": build_corridor, "street": build_street,
}  # fmt: skip

_KEPT = threading.local()


def kind_of(config: DepthWorldConfig, index: int) -> str:
    """Return the kind of scene ``index``."""
    return config.kinds[index % len(config.kinds)]


def scene_name(config: DepthWorldConfig, index: int) -> str:
    """Return a scene's name, which is its folder's."""
    return f"{kind_of(config, index)}_{index:05d}"


def photo_name(view: int) -> str:
    """Return a photo's file name."""
    return f"{view:03d}.jpg"


def depth_name(view: int) -> str:
    """Return the file name of a photo's depth."""
    return f"{view:03d}_depth.png"


@lru_cache(maxsize=4)
def split_of(config: DepthWorldConfig) -> tuple[str, ...]:
    """Return each scene's split; all kinds of scenes have the same shares of each."""
    splits = ["train"] * config.scenes
    for place, kind in enumerate(sorted(set(config.kinds))):
        mine = [k for k in range(config.scenes) if kind_of(config, k) == kind]
        order = np.random.default_rng([config.seed, place, 2]).permutation(mine)
        validation = round(config.validation_share * len(mine))
        test = round(config.test_share * len(mine))
        for index in order[:validation]:
            splits[index] = "validation"
        for index in order[validation : validation + test]:
            splits[index] = "test"
    return tuple(splits)


def build_scene(config: DepthWorldConfig, index: int) -> DepthScene:
    """Return scene ``index`` of a set; it depends on the seed, the index and its split alone."""
    rng = np.random.default_rng([config.seed, index, 0])
    work = DepthWorkshop(
        rng,
        is_plain=bool(rng.random() < PLAIN_SHARE),
        seed=config.seed,
        split=split_of(config)[index],
    )
    return _BUILDERS[kind_of(config, index)](work, (config.min_fov_deg, config.max_fov_deg))


def render_scene(images: Path, config: DepthWorldConfig, index: int) -> None:
    """Render scene ``index`` into its folder below ``images``, which appears when it is whole.

    Raises:
        RenderError: There is no EGL.
    """
    # A process a core renders; OpenCV's own threads would only be in the way.
    cv2.setNumThreads(1)
    scene = build_scene(config, index)
    rng = np.random.default_rng([config.seed, index, 1])
    sky, rows = Sky(rng), []
    with atomic_path(images / scene_name(config, index)) as temporary:
        temporary.mkdir()
        renderer = _renderer_of(scene)
        for number in range(config.views_per_scene):
            pose, camera, depth = _choose_view(rng, renderer, scene, config)
            photo = _take(rng, renderer, sky, pose, camera, config.noise)
            _write_photo(rng, temporary / photo_name(number), photo)
            _write_depth(temporary / depth_name(number), depth)
            rows.append(_row(pose, camera))
        (temporary / VIEWS_JSON).write_text(json.dumps(rows) + "\n", encoding="utf-8")


def _renderer_of(scene: DepthScene) -> MeshRenderer:
    """Return this thread's renderer, which is kept: to make one takes as long as two photos."""
    if not hasattr(_KEPT, "renderer"):
        _KEPT.renderer = MeshRenderer(scene, far_m=FAR_M)
    renderer: MeshRenderer = _KEPT.renderer
    renderer.load(scene)
    return renderer


def _choose_view(
    rng: np.random.Generator, renderer: MeshRenderer, scene: DepthScene, config: DepthWorldConfig
) -> tuple[Pose, Camera, NDArray[np.float32]]:
    """Return a view that shows something, with its depth; the last one tried at worst."""
    for attempt in range(_TRIES):
        view = scene.draw_view(rng)
        pose, camera = pose_of(view), camera_of(view, config.image_width, config.image_height)
        depth = renderer.render_depth(pose, camera)
        if attempt == _TRIES - 1 or _is_good(depth, scene.typical_m):
            break
    return pose, camera, depth


def pose_of(view: View) -> Pose:
    """Return world_from_cam of a view."""
    return look_along(view.centre[None], view.forward[None], np.array([view.roll]))[0]


def camera_of(view: View, width: int, height: int) -> Camera:
    """Return the pinhole camera of a view's photo."""
    focal = float(width / 2 / np.tan(view.fov / 2))
    middle = ((width - 1) / 2, (height - 1) / 2)
    return Camera("PINHOLE", width, height, (focal, focal, *middle))


def fine_camera(camera: Camera) -> Camera:
    """Return the camera of the same view, its pixels FINER times as fine each way."""
    fx, fy, cx, cy = camera.params
    # The middle of a block of fine pixels is the middle of the photo's pixel.
    shift = (FINER - 1) / 2
    finer = (FINER * fx, FINER * fy, FINER * cx + shift, FINER * cy + shift)
    return Camera("PINHOLE", FINER * camera.width, FINER * camera.height, finer)


def _is_good(depth: NDArray[np.float32], typical_m: tuple[float, float]) -> bool:
    known = np.sort(depth[::4, ::4][depth[::4, ::4] > 0])
    if len(known) < 0.3 * depth[::4, ::4].size:
        return False
    near, middle, far = known[[len(known) // 50, len(known) // 2, -len(known) // 20]]
    return bool(
        known[0] > _NEAREST_M and typical_m[0] <= middle <= typical_m[1] and far > _RELIEF * near
    )


def _take(
    rng: np.random.Generator,
    renderer: MeshRenderer,
    sky: Sky,
    pose: Pose,
    camera: Camera,
    noise: float,
) -> NDArray[np.uint8]:
    colours, depth = renderer.render(pose, fine_camera(camera))
    size = (camera.width, camera.height)
    values = np.asarray(cv2.resize(colours, size, interpolation=cv2.INTER_AREA), np.float32)
    empty = depth == 0
    if empty.any():
        share = cv2.resize(empty.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        values = values + share[..., None] * sky.seen(pose, camera)
    return develop(rng, values, noise)


def _write_photo(rng: np.random.Generator, path: Path, photo: NDArray[np.uint8]) -> None:
    flags = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITIES))]
    _, data = cv2.imencode(".jpg", photo[..., ::-1], flags)
    path.write_bytes(data.tobytes())


def storable(depth: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Return z-depth as 16-bit millimetres; what is too far for them is 0: unknown."""
    millimetres: NDArray[np.uint16] = np.rint(1000.0 * depth * (depth < MOST_M)).astype(np.uint16)
    return millimetres


def _write_depth(path: Path, depth: NDArray[np.float32]) -> None:
    # As records.depth.write_depth_png_mm does, five times as fast: the folder is not there yet.
    flags = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _, data = cv2.imencode(".png", storable(depth), flags)
    path.write_bytes(data.tobytes())


def _row(pose: Pose, camera: Camera) -> dict[str, list[float]]:
    return {
        "q_wxyz": pose.q_wxyz.tolist(),
        "centre": pose.translation.tolist(),
        "intrinsics": list(camera.params),
    }
