"""Pictures as frames: boxes move as pixels do, categories come evenly, broken files are told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from small_pictures import write_squares

from sightline.errors import InputError, MediaError
from sightline.records.utility import PristineImage, PristineSet
from sightline.tasks.utility.small.config import SmallConfig
from sightline.tasks.utility.small.frames import (
    FrameBatches,
    evenly,
    jittered,
    left_in,
    read_frames,
)

STILL = SmallConfig(flip=False, zoom=0.0, shift=0.0, colour=0.0, batch=4)


def painted(box: tuple[int, int, int, int], side: int = 64) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = box
    frame = np.zeros((side, side, 3), dtype=np.uint8)
    frame[y0:y1, x0:x1] = 200
    return frame


def lit_box(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Edges of what is lit, to a fraction of a pixel by how bright the edge pixels are."""
    share = frame[..., 0] / 200.0
    rows, columns = share.max(axis=1), share.max(axis=0)
    x, y = np.flatnonzero(columns), np.flatnonzero(rows)
    return np.array(
        [
            x[0] + 1 - columns[x[0]],
            y[0] + 1 - rows[y[0]],
            x[-1] + columns[x[-1]],
            y[-1] + rows[y[-1]],
        ]
    )


def test_nothing_moves_where_nothing_is_asked() -> None:
    frame, box = painted((10, 20, 30, 44)), np.array([[10, 20, 30, 44]], dtype=np.float32)
    out, moved = jittered(frame, box, STILL, np.random.default_rng(0))
    assert np.array_equal(out, frame)
    assert np.array_equal(moved, box)


@pytest.mark.parametrize("seed", range(8))
def test_boxes_move_with_the_pixels(seed: int) -> None:
    config = replace(STILL, flip=True, zoom=0.2, shift=0.1)
    box = (22, 24, 40, 36)
    frame = painted(box)
    out, moved = jittered(frame, np.array([box], np.float32), config, np.random.default_rng(seed))
    assert not np.array_equal(out, frame)
    # half a pixel is the half of bilinear's own blur; a convention that is off moves by more
    np.testing.assert_allclose(moved[0], lit_box(out), atol=0.5)


def test_the_mirror_is_exact() -> None:
    config = replace(STILL, flip=True)
    box = (3, 5, 20, 30)
    found = {
        tuple(jittered(painted(box), np.array([box], np.float32), config, rng)[1][0].tolist())
        for rng in map(np.random.default_rng, range(20))
    }
    assert found == {(3.0, 5.0, 20.0, 30.0), (44.0, 5.0, 61.0, 30.0)}


def test_boxes_are_cut_at_the_edges_and_left_out_beyond() -> None:
    boxes = np.array([[-10, 0, 30, 10], [-10, 0, 1, 10], [70, 0, 90, 9], [0, 0, 64, 64]])
    inside, kept = left_in(boxes.astype(np.float32), 64)
    assert kept.tolist() == [0, 3]
    assert inside.tolist() == [[0, 0, 30, 10], [0, 0, 64, 64]]


def test_categories_come_evenly() -> None:
    category = np.array([0] * 90 + [1] * 9 + [2])
    order = evenly(category, np.random.default_rng(0))
    assert len(order) == 100
    counts = np.bincount(category[order])
    assert counts.min() >= 32
    assert counts.max() <= 34


def test_equal_categories_come_once_each() -> None:
    order = evenly(np.arange(60) % 3, np.random.default_rng(0))
    assert sorted(order.tolist()) == list(range(60))


def test_boxes_are_scaled_to_the_frame(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 60, 3), 9, np.uint8)).save(tmp_path / "a.png")
    image = PristineImage(Path("a.png"), 0, ((0.0, 0.0, 60.0, 40.0), (15.0, 10.0, 30.0, 20.0)))
    image = replace(image, box_categories=(0, 1))
    frames = read_frames(PristineSet("a", tmp_path, (image,), ("x", "y")), 32, tmp_path / "cache")
    assert frames.boxes[0].tolist() == [[0, 0, 32, 32], [8, 8, 16, 16]]


def test_a_broken_picture_is_counted_and_left_out(tmp_path: Path) -> None:
    data = write_squares(tmp_path, train=6, validation=0)
    (tmp_path / "002.png").write_bytes(b"\x89PNG no picture")
    said: list[str] = []
    frames = read_frames(data, 32, tmp_path / "cache", lambda text, _: said.append(text))
    assert frames.rows.tolist() == [0, 1, 3, 4, 5]
    assert frames.unreadable == 1
    assert frames.category.tolist() == [0, 1, 0, 1, 2]
    assert any(text.startswith("1 of 6 images left out") for text in said)


def test_nothing_but_broken_pictures_is_an_error(tmp_path: Path) -> None:
    data = write_squares(tmp_path, train=1, validation=0)
    (tmp_path / "000.png").write_bytes(b"nothing")
    with pytest.raises(MediaError, match=r"000\.png"):
        read_frames(data, 32, tmp_path / "cache")
    with pytest.raises(InputError, match="images are wanted"):
        read_frames(replace(data, images=()), 32, tmp_path / "cache")


def test_an_epoch_is_the_same_again_and_another_one_is_not(tmp_path: Path) -> None:
    frames = read_frames(write_squares(tmp_path, train=12), 32, tmp_path / "cache")
    batches = FrameBatches(frames, replace(STILL, flip=True, shift=0.1, colour=0.2))
    first, again, other = (next(iter(batches.epoch(number))).frames.numpy() for number in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert first.min() >= 0
    assert first.max() <= 255
