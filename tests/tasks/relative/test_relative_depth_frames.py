"""Depth beside images, cut with them; half a set of depths is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from box_rooms import CAMERA, make_box_rooms
from PIL import Image

from sightline.errors import InputError
from sightline.learning.cache import FrameSize
from sightline.records.pairs import PairSet, depth_beside
from sightline.tasks.relative.config import scratch_config
from sightline.tasks.relative.depth_frames import DepthFrames
from sightline.tasks.relative.samples import PairBatches, PairFrames, usable_pairs


@pytest.fixture
def boxes(tmp_path: Path) -> PairSet:
    """Depth that tells its pixel: millimetres 1000 + 10 row + column, at a quarter of the size."""
    pairs = make_box_rooms(tmp_path, {"train": 2, "validation": 1}, 3)
    row, column = np.mgrid[0:24, 0:32]
    for pair in pairs.pairs:
        for image in (pair.image_a, pair.image_b):
            depth = (1000 + 10 * row + column).astype(np.uint16)
            Image.fromarray(depth).save(depth_beside(tmp_path / image))
    return pairs


def test_the_nearest_value_of_the_same_view(boxes: PairSet) -> None:
    name = boxes.pairs[0].image_a.as_posix()
    frames = DepthFrames.there(boxes.root, {name: FrameSize(128, 96)})
    assert frames is not None
    found = frames[Path(name)]
    v, u = np.mgrid[0:96, 0:128]
    np.testing.assert_allclose(found, (1000 + 10 * (v // 4) + u // 4) / 1000, atol=1e-6)
    # a square frame shows the middle of the picture
    square = DepthFrames(boxes.root, {name: FrameSize(48, 48)})[Path(name)]
    left, *_ = FrameSize(48, 48).source_box(CAMERA.width, CAMERA.height)
    column = ((left + (np.arange(48) + 0.5) * 2) // 4).astype(int)
    np.testing.assert_allclose(square[0], (1000 + column) / 1000, atol=1e-6)


def test_depth_goes_where_its_image_goes(boxes: PairSet) -> None:
    """Swapped and mirrored, the depth still tells the column that the image's pixel had."""
    config = dataclasses.replace(scratch_config(), batch=3, seed=1)
    usable = usable_pairs(boxes, "train")
    frames = PairFrames(boxes.root, usable.pairs, config, boxes.root / "cache")
    depth = DepthFrames.there(boxes.root, frames.sizes)
    plain = (1000 + 10 * (np.arange(96) // 4)[:, None] + np.arange(128) // 4) / 1000
    mirrored = 0
    for batch in PairBatches(usable, frames, config, depth).epoch(0):
        assert batch.depth_a is not None
        assert batch.depth_b is not None
        assert batch.length is not None
        for row in range(len(batch.q_wxyz)):
            turned = bool(batch.depth_a[row, 0, 0] > batch.depth_a[row, 0, -1])
            mirrored += turned
            wanted = plain[:, ::-1] if turned else plain
            for found in (batch.depth_a[row], batch.depth_b[row]):
                np.testing.assert_allclose(found.numpy(), wanted, atol=1e-6)
        lengths = {round(float(v), 5) for v in usable.length}
        assert {round(float(v), 5) for v in batch.length} <= lengths
    assert 0 < mirrored < len(usable.pairs)


def test_none_some_and_wrong(boxes: PairSet) -> None:
    names = [boxes.pairs[0].image_a.as_posix(), boxes.pairs[0].image_b.as_posix()]
    sizes = dict.fromkeys(names, FrameSize(32, 24))
    Image.fromarray(np.zeros((24, 32), np.uint8)).save(depth_beside(boxes.root / names[1]))
    with pytest.raises(InputError, match="a 16-bit PNG of depth in millimetres"):
        DepthFrames.there(boxes.root, sizes)
    depth_beside(boxes.root / names[1]).unlink()
    with pytest.raises(InputError, match=r"other images of the set have\s+theirs"):
        DepthFrames.there(boxes.root, sizes)
    depth_beside(boxes.root / names[0]).unlink()
    assert DepthFrames.there(boxes.root, sizes) is None
    usable = usable_pairs(boxes, "train")
    config = dataclasses.replace(scratch_config(), batch=3)
    frames = PairFrames(boxes.root, usable.pairs, config, boxes.root / "cache")
    batch = next(iter(PairBatches(usable, frames, config).epoch(0)))
    assert batch.depth_a is None
    assert batch.to(torch.device("cpu")).length is None
