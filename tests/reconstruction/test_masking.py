"""Features on masked pixels are dropped, and only those; other masks, other features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest

from sightline.media.masks import mask_name, write_mask
from sightline.reconstruction.config import ReconstructionConfig
from sightline.reconstruction.masking import (
    MASKED_FEATURES,
    MaskedFeatures,
    dropped_shares,
    on_counting_pixels,
)
from sightline.reconstruction.pipeline import _Run
from sightline.records import Place

CONFIG = ReconstructionConfig(quality="low", threads=1)
#: Rows of the 16 frames that are enough here.
FEW = range(3)


def features(database: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    with pycolmap.Database.open(database) as db:
        return {
            image.name: (
                db.read_keypoints(image.image_id),
                np.asarray(db.read_descriptors(image.image_id).data),
            )
            for image in db.read_all_images()
        }


def masks_of(folder: Path, place: Place, seed: int) -> dict[str, np.ndarray]:
    """Write masks of blocks by chance; the first frame's ignores all, the second's nothing."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    masks = {}
    for i, frame in enumerate(place.frames()):
        blocks = rng.random((6, 8)) < 0.6
        counts = np.kron(blocks, np.ones((40, 40))) > 0
        masks[frame.image] = {0: np.zeros_like(counts), 1: np.ones_like(counts)}.get(i, counts)
        write_mask(folder / mask_name(frame.image), masks[frame.image])
    return masks


def extract(place: Place, masks_dir: Path | None) -> None:
    _Run(Place.open(place.root), CONFIG, lambda _text, _done: None).features(masks_dir)


def test_positions_are_pixel_middles() -> None:
    counts = np.array([[True, False], [False, True]])
    xy = [(0.4, 0.4), (0.6, 0.4), (-0.5, -0.49), (1.2, 1.4), (1.49, 0.49), (0.0, 1.0)]
    kept = on_counting_pixels(counts, np.array(xy))
    assert kept.tolist() == [True, False, True, True, False, False]
    assert on_counting_pixels(counts, np.zeros((0, 2))).shape == (0,)


def test_the_kept_features_are_colmaps_own(
    make_place: Callable[..., Place], tmp_path: Path
) -> None:
    place = make_place(rows=FEW)
    masks = masks_of(tmp_path / "masks", place, seed=0)
    extract(place, None)
    everything = features(place.database_path)
    assert not (place.reconstruction_dir / MASKED_FEATURES).exists()
    extract(place, tmp_path / "masks")
    kept = features(place.database_path)

    options = pycolmap.FeatureExtractionOptions()
    options.max_image_size, options.num_threads, options.use_gpu = 640, 1, False
    options.sift.max_num_features = 1000
    reader = pycolmap.ImageReaderOptions()
    reader.mask_path = tmp_path / "masks"
    pycolmap.extract_features(
        tmp_path / "reference.db",
        place.images_dir,
        reader_options=reader,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )
    reference = features(tmp_path / "reference.db")
    counts = MaskedFeatures.read(place.reconstruction_dir)
    assert counts is not None
    for name, mask in masks.items():
        for ours, theirs in zip(kept[name], reference[name], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        found = everything[name][0]
        inside = mask[found[:, 1].astype(int), found[:, 0].astype(int)]
        np.testing.assert_array_equal(kept[name][0], found[inside])
        assert (counts.found[name], counts.kept[name]) == (len(found), inside.sum())
    sizes = [len(kept[name][0]) for name in masks]
    assert sizes[0] == 0
    assert sizes[1] == len(everything[list(masks)[1]][0])
    assert 0 < sizes[2] < len(everything[list(masks)[2]][0])
    assert dropped_shares(place.reconstruction_dir) == {
        name: pytest.approx(1 - counts.kept[name] / counts.found[name]) for name in masks
    }
    total = sum(len(f[0]) for f in everything.values())
    assert counts.dropped_share == pytest.approx(1 - sum(sizes) / total)


def test_other_masks_are_other_features(make_place: Callable[..., Place], tmp_path: Path) -> None:
    place = make_place(rows=FEW)
    folder, log = tmp_path / "masks", place.reconstruction_dir / "log.txt"

    def worker_runs() -> list[str]:
        lines = log.read_text(errors="replace").splitlines()
        return [line.removeprefix("== ") for line in lines if line.startswith("== ")]

    masks_of(folder, place, seed=0)
    steps: list[tuple[Any, int]] = [(folder, 1), (folder, 1)]
    for masks_dir, runs in steps:
        extract(place, masks_dir)
        assert worker_runs() == ["features", "mask"] * runs
    masks_of(folder, place, seed=1)
    extract(place, folder)
    assert worker_runs() == ["features", "mask"] * 2
    extract(place, None)
    assert worker_runs() == ["features", "mask"] * 2 + ["features"]
    assert MaskedFeatures.read(place.reconstruction_dir) is None
    assert dropped_shares(place.reconstruction_dir) == {}
