"""Textured boxes seen from inside, by ray casting: exact images and poses of pairs in seconds."""

from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import zoom
from scipy.spatial.transform import Rotation

from sightline.geometry import Camera, Pose
from sightline.records.pairs import ImagePair, PairSet, write_pair_set

CAMERA = Camera("PINHOLE", 128, 96, (110.0, 110.0, 63.5, 47.5))
HALF = np.array([2.0, 1.5, 2.5])


def texture(generator: np.random.Generator, side: int = 128) -> np.ndarray:
    """A square of blotches of three sizes, (side, side, 3) in 0..255."""
    layers = [
        zoom(generator.random((n, n, 3)), (side / n, side / n, 1), order=1) for n in (4, 12, 32)
    ]
    mixed = layers[0] + 0.8 * layers[1] + 0.6 * layers[2]
    return 255 * (mixed - mixed.min()) / np.ptp(mixed)


def render(faces: np.ndarray, room_from_cam: Pose, camera: Camera = CAMERA) -> np.ndarray:
    """The room (faces (3, 2, S, S, 3), axis by sign) from a camera inside it."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    rays = camera.unproject(np.stack([u, v], -1)) @ room_from_cam.rotation_matrix.T
    centre = room_from_cam.translation
    with np.errstate(divide="ignore"):
        reach = (np.sign(rays) * HALF - centre) / rays
    axis = np.argmin(np.where(reach > 0, reach, np.inf), axis=-1)
    distance = np.take_along_axis(reach, axis[..., None], -1)
    points = (centre + distance * rays) / HALF
    sign = (np.take_along_axis(rays, axis[..., None], -1)[..., 0] > 0).astype(int)
    others = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    side = faces.shape[2]
    cells = np.clip((np.take_along_axis(points, others, -1) + 1) / 2 * side, 0, side - 1).astype(
        int
    )
    return faces[axis, sign, cells[..., 0], cells[..., 1]].astype(np.uint8)


def random_pose(generator: np.random.Generator) -> Pose:
    angles = generator.uniform([-180, -10, -5], [180, 10, 5])
    turn = Rotation.from_euler("YXZ", angles, degrees=True)
    return Pose.from_rotation(turn, generator.uniform(-0.5, 0.5, 3) * HALF)


def moved(generator: np.random.Generator, pose: Pose) -> Pose:
    step = generator.normal(size=3)
    step *= generator.uniform(0.3, 0.8) / np.linalg.norm(step)
    turn = Rotation.from_euler("YXZ", generator.uniform([-20, -8, -5], [20, 8, 5]), degrees=True)
    centre = np.clip(pose.translation + step, -0.7 * HALF, 0.7 * HALF)
    return Pose.from_rotation(pose.rotation * turn, centre)


def make_box_rooms(
    root: Path, rooms: dict[str, int], per_room: int, *, seed: int = 0, cameras: bool = True
) -> PairSet:
    """A pair set with so many rooms in each split."""
    generator = np.random.default_rng(seed)
    (root / "images").mkdir(parents=True)
    pairs = []
    for split, count in rooms.items():
        for room in range(count):
            scene = f"{split}{room}"
            faces = np.stack([[texture(generator) for _ in range(2)] for _ in range(3)])
            for index in range(per_room):
                a = random_pose(generator)
                b = moved(generator, a)
                names = [Path("images") / f"{scene}_{index}{side}.png" for side in "ab"]
                for name, pose in zip(names, (a, b), strict=True):
                    Image.fromarray(render(faces, pose)).save(root / name)
                camera = CAMERA if cameras else None
                pairs.append(
                    ImagePair(*names, b.inverse() @ a, camera, camera, scene=scene, split=split)
                )
    made = PairSet("boxes", root, tuple(pairs), "m", "ray casting")
    write_pair_set(made)
    return made
