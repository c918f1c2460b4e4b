"""A place small enough to train on in seconds, and one torch thread."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.transform import Rotation

from sightline.geometry import Pose
from sightline.records import FloorPlan, Place, PosedFrame, write_poses_csv


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run torch on one thread: on a shared machine two wait for each other far longer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def pose_at(t: float) -> Pose:
    """A walk along an arc, t in [0, 1]."""
    heading = Rotation.from_euler("z", 60 * t, degrees=True) * Rotation.from_euler(
        "x", -90, degrees=True
    )
    return Pose.from_rotation(heading, np.array([4 * t, 2 * np.sin(2 * t), 1.5]))


def picture_at(t: float) -> np.ndarray:
    """A picture that tells t: a bright bar at t over a gradient."""
    x = np.linspace(0, 1, 40)[None, :, None]
    y = np.linspace(0, 1, 48)[:, None, None]
    bar = np.exp(-(((x - t) / 0.12) ** 2))
    colour = np.array([1.0, t, 1 - t])
    pixels = 60 * y + 180 * bar * colour
    return np.clip(pixels, 0, 255).astype(np.uint8)


def write_walk(images: Path, times: np.ndarray) -> list[PosedFrame]:
    images.mkdir(parents=True)
    frames = []
    for i, t in enumerate(times):
        name = f"{i:04d}.png"
        Image.fromarray(picture_at(float(t))).save(images / name)
        frames.append(PosedFrame(name, i / 10, pose_at(float(t))))
    return frames


@pytest.fixture
def make_place(tmp_path: Path) -> Callable[..., Place]:
    def make(name: str = "place", count: int = 30) -> Place:
        place = Place.create(tmp_path / name, source="test")
        frames = write_walk(place.images_dir, np.linspace(0, 1, count))
        parts = ("train", "validation", "test")
        place.write_frames([f.with_split(parts[i % 3]) for i, f in enumerate(frames)])
        place.update(
            unit="m",
            camera={
                "model": "SIMPLE_PINHOLE",
                "width": 40,
                "height": 48,
                "params": [40.0, 19.5, 23.5],
            },
        )
        return place

    return make


@pytest.fixture
def place(make_place: Callable[..., Place]) -> Place:
    return make_place()


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    folder = tmp_path / "second"
    frames = write_walk(folder / "images", np.linspace(0.05, 0.93, 7))
    write_poses_csv(folder / "poses.csv", frames)
    return folder


@pytest.fixture
def picture() -> Callable[[float], np.ndarray]:
    return picture_at


@pytest.fixture
def with_plan(place: Place) -> Place:
    attach_plan(place)
    return place


def attach_plan(place: Place) -> None:
    Image.new("RGB", (120, 80), "white").save(place.root / "plan.png")
    affine = np.array([[20.0, 0, 10], [0, -20.0, 60]])
    FloorPlan(place.root / "plan.png", None, 120, 80, affine).write(place.plan_path)
