"""Pairs as batches: scaled as the paper says, cut with their cameras, swapped with exact labels."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from box_rooms import CAMERA, HALF, moved, random_pose, render, texture
from PIL import Image

from sightline.errors import InputError, TrainingError
from sightline.geometry import Camera, Pose
from sightline.records.pairs import PairSet
from sightline.tasks.relative.config import RelativeConfig
from sightline.tasks.relative.samples import (
    PairBatch,
    PairBatches,
    PairFrames,
    centre_batches,
    crop,
    frame_camera,
    frame_size,
    mirrored,
    usable_pairs,
)

SMALL = RelativeConfig(
    model="siamese", short_side=64, train_size=48, test_size=48, batch=8, crop="random"
)


def batches(boxes: PairSet, config: RelativeConfig) -> tuple[PairBatches, PairFrames]:
    usable = usable_pairs(boxes, "train")
    frames = PairFrames(boxes.root, usable.pairs, config, boxes.root / "cache")
    return PairBatches(usable, frames, config), frames


def test_unusable_pairs_are_counted_and_left_out(boxes: PairSet) -> None:
    pairs = list(boxes.pairs)
    assert pairs[1].b_from_a is not None
    still = Pose(pairs[1].b_from_a.q_wxyz, np.zeros(3))
    pairs[0] = dataclasses.replace(pairs[0], b_from_a=None)
    pairs[1] = dataclasses.replace(pairs[1], b_from_a=still)
    usable = usable_pairs(dataclasses.replace(boxes, pairs=tuple(pairs)), "train")
    assert (len(usable.pairs), usable.without_pose, usable.without_motion) == (22, 1, 1)
    np.testing.assert_allclose(np.linalg.norm(usable.b_from_a.translation, axis=1), 1)
    assert pairs[2].b_from_a is not None
    true = pairs[2].b_from_a.translation
    np.testing.assert_allclose(usable.b_from_a.translation[0], true / np.linalg.norm(true))
    none = tuple(dataclasses.replace(p, b_from_a=None) for p in boxes.pairs)
    with pytest.raises(TrainingError, match="of 24 24 have no pose and 0 no translation"):
        usable_pairs(dataclasses.replace(boxes, pairs=none), "train")
    with pytest.raises(InputError, match="split 'test'"):
        usable_pairs(boxes, "test")


@pytest.mark.parametrize(
    ("image", "frame"),
    [
        ((640, 480), (323 + 96, 323)),  # 430.7 wide, less what is over a multiple of 16
        ((480, 640), (323, 323 + 96)),
        ((323, 323), (323, 323)),
        ((227, 227), (323, 323)),
        ((3000, 500), (646, 323)),  # a panorama: the middle
    ],
)
def test_the_shorter_side_becomes_323(image: tuple[int, int], frame: tuple[int, int]) -> None:
    size = frame_size(*image, RelativeConfig())
    assert (size.width, size.height) == frame
    left, top, right, bottom = size.source_box(*image)
    assert (right - left) / (bottom - top) == pytest.approx(size.width / size.height)


def test_whole_pictures_of_the_crops_aspect() -> None:
    config = dataclasses.replace(SMALL, short_side=96, train_size=96, test_size=96, aspect=4 / 3)
    for image in ((640, 480), (640, 478), (128, 96), (4032, 3024)):
        size = frame_size(*image, config)
        assert (size.width, size.height) == (128, 96)
    tall = frame_size(480, 640, config)
    assert tall.width == 128
    assert tall.height > 150


def test_the_frames_camera_sees_a_point_where_the_frame_shows_it() -> None:
    """A bright dot is found in the scaled, cut frame where the camera projects it."""
    camera = Camera("PINHOLE", 640, 400, (500.0, 480.0, 310.0, 205.0))
    image = np.zeros((400, 640, 3), np.uint8)
    u, v = 290, 260
    image[v - 4 : v + 5, u - 4 : u + 5] = 255
    size = frame_size(640, 400, SMALL)
    frame = size.resize(Image.fromarray(image))
    cut, numbers = crop(frame, frame_camera(camera, size), (48, 48), (0.7, 0.9))
    fx, fy, cx, cy = numbers
    ray = camera.unproject([u, v])
    rows, columns = np.mgrid[:48, :48]
    weight = cut[..., 0] / cut[..., 0].sum(dtype=float)
    found = [(weight * columns).sum(), (weight * rows).sum()]
    assert found == pytest.approx([fx * ray[0] + cx, fy * ray[1] + cy], abs=0.05)
    with pytest.raises(InputError, match="a frame of 80x48 or more"):
        crop(frame[:, :64], numbers, (80, 48), (0, 0))


def test_a_swapped_pair_has_exactly_the_inverse_label(boxes: PairSet) -> None:
    """Every row of an epoch is one of the pairs, either way round, with that order's pose."""
    made, frames = batches(boxes, dataclasses.replace(SMALL, crop="centre"))
    usable = usable_pairs(boxes, "train")
    seen = set()
    for batch in made.epoch(0):
        for row in range(len(batch.q_wxyz)):
            index, swapped = which_pair(batch, row, usable.pairs, frames)
            pair = usable.pairs[index].swapped() if swapped else usable.pairs[index]
            assert pair.b_from_a is not None
            true = pair.b_from_a
            direction = true.translation / np.linalg.norm(true.translation)
            np.testing.assert_allclose(batch.q_wxyz[row], true.q_wxyz, atol=1e-6)
            np.testing.assert_allclose(batch.direction[row], direction, atol=1e-6)
            seen.add((index, swapped))
    assert {index for index, _ in seen} == set(range(24))
    assert 4 < sum(swapped for _, swapped in seen) < 20


def which_pair(batch: PairBatch, row: int, pairs: tuple, frames: PairFrames) -> tuple[int, bool]:
    def same(found: torch.Tensor, image: Path) -> bool:
        frame = frames[image]
        x, y = round((frame.shape[1] - 48) / 2), round((frame.shape[0] - 48) / 2)
        return np.array_equal(found.permute(1, 2, 0), frame[y : y + 48, x : x + 48])

    for index, pair in enumerate(pairs):
        if same(batch.image_a[row], pair.image_a) and same(batch.image_b[row], pair.image_b):
            return index, False
        if same(batch.image_a[row], pair.image_b) and same(batch.image_b[row], pair.image_a):
            return index, True
    raise AssertionError("not one of the pairs")


def test_no_swaps_where_none_are_wanted(boxes: PairSet) -> None:
    made, _ = batches(boxes, dataclasses.replace(SMALL, swap=False, batch=24))
    usable = usable_pairs(boxes, "train")
    (batch,) = made.epoch(0)
    found = {tuple(np.round(q, 5)) for q in batch.q_wxyz.numpy()}
    true = {tuple(q) for q in np.round(usable.b_from_a.q_wxyz.astype(np.float32), 5)}
    assert found == true


@pytest.mark.parametrize("place", ["random", "independent", "centre"])
def test_where_crops_lie(boxes: PairSet, place: str) -> None:
    config = dataclasses.replace(SMALL, crop=place, batch=24)  # type: ignore[arg-type]
    made, _ = batches(boxes, config)
    (batch,) = made.epoch(0)
    together = torch.equal(batch.camera_a, batch.camera_b)
    assert together == (place != "independent")
    assert (len(batch.camera_a[:, 2].unique()) > 1) == (place != "centre")


def test_an_epoch_is_a_function_of_its_number(boxes: PairSet) -> None:
    config = dataclasses.replace(SMALL, mirror=True, colour=0.2)
    made, _ = batches(boxes, config)
    first, again, other = (list(made.epoch(n)) for n in (3, 3, 4))
    assert len(first) == len(made) == 3
    assert all(torch.equal(a.image_a, b.image_a) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0].image_a, other[0].image_a)
    assert first[0].image_a.min() >= 0
    assert first[0].image_a.max() <= 255


def test_a_mirrored_pair_is_what_a_mirrored_room_looks_like() -> None:
    """The room itself is mirrored (x to -x), rendered, and compared: images and pose."""
    generator = np.random.default_rng(5)
    faces = np.stack([[texture(generator) for _ in range(2)] for _ in range(3)])
    a = random_pose(generator)
    b = moved(generator, a)
    flat = np.diag([-1.0, 1.0, 1.0])

    def reflected(pose: Pose) -> Pose:
        matrix = np.eye(4)
        matrix[:3, :3] = flat @ pose.rotation_matrix @ flat
        matrix[:3, 3] = flat @ pose.translation
        return Pose.from_matrix(matrix)

    other = faces.copy()
    other[0] = faces[0, ::-1]
    other[1:] = faces[1:, :, ::-1]
    shape = (1, 96, 128, 3)
    true = reflected(b).inverse() @ reflected(a)
    pose = b.inverse() @ a
    images = [
        torch.from_numpy(render(f, p).reshape(shape)).permute(0, 3, 1, 2)
        for f, p in ((faces, a), (faces, b), (other, reflected(a)), (other, reflected(b)))
    ]
    camera = torch.tensor([[CAMERA.fx, CAMERA.fy, CAMERA.cx, CAMERA.cy]])
    batch = PairBatch(
        images[0],
        images[1],
        camera,
        camera,
        torch.from_numpy(pose.q_wxyz[None]).float(),
        torch.from_numpy(pose.translation[None]).float(),
    )
    found = mirrored(batch, torch.tensor([True]))
    # cell borders may round either way, so a few pixels differ
    for ours, rendered in ((found.image_a, images[2]), (found.image_b, images[3])):
        assert ((ours.int() - rendered.int()).abs().amax(1) > 2).float().mean() < 0.02
    np.testing.assert_allclose(found.q_wxyz[0], true.q_wxyz, atol=1e-6)
    np.testing.assert_allclose(found.direction[0], true.translation, atol=1e-5)
    np.testing.assert_allclose(found.camera_a, camera)
    untouched = mirrored(batch, torch.tensor([False]))
    assert torch.equal(untouched.image_a, batch.image_a)
    assert torch.equal(untouched.q_wxyz, batch.q_wxyz)
    assert (HALF > 0).all()


def test_images_of_several_shapes_share_a_set(boxes: PairSet, tmp_path: Path) -> None:
    """Landscape, portrait and square, with and without cameras."""
    source = boxes.path(boxes.pairs[0].image_a)
    picture = Image.open(source)
    names = []
    for index, box in enumerate([(0, 0, 128, 96), (20, 0, 80, 96), (0, 0, 96, 96)]):
        names.append(Path(f"{index}.png"))
        picture.crop(box).save(tmp_path / names[-1])
    pose = boxes.pairs[0].b_from_a
    pairs = tuple(
        dataclasses.replace(
            boxes.pairs[0], image_a=a, image_b=b, camera_a=None, camera_b=None, b_from_a=pose
        )
        for a, b in ((names[0], names[1]), (names[1], names[2]), (names[2], names[0]))
    )
    mixed = PairSet("mixed", tmp_path, pairs)
    config = dataclasses.replace(SMALL, batch=3)
    made, frames = batches(mixed, config)
    assert len({frames[name].shape for name in names}) == 3
    (batch,) = made.epoch(0)
    assert batch.image_a.shape == (3, 3, 48, 48)
    (judged,) = centre_batches(usable_pairs(mixed, "train"), frames, config, 8)
    assert judged.image_b.shape == (3, 3, 48, 48)
    guess = Camera.guess(128, 96)
    scale = 64 / 96
    assert judged.camera_a[0, 0] == pytest.approx(guess.fx * scale)
    assert judged.camera_a[0, 2] == pytest.approx(23.5, abs=0.51)
