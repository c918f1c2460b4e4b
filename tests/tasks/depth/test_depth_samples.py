"""Images and depth as arrays, what is left out, and the batches made of them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from toy_depth import HEIGHT, WIDTH, make_toy_depth

from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet, write_depth_png_mm
from sightline.tasks.depth.batches import DepthBatch, DepthBatches, Order, split_batch, weak_views
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.samples import FrameShape, Samples, training_shape, usable_samples

SHAPE = FrameShape(WIDTH, HEIGHT)
CONFIG = DepthConfig(
    stage="student", frame_width=WIDTH, frame_height=HEIGHT, batch=6, unlabelled_ratio=2.0
)


def changed(**values: object) -> DepthConfig:
    return dataclasses.replace(CONFIG, **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> DepthSet:
    return make_toy_depth(tmp_path_factory.mktemp("toy") / "set", train=10, validation=2)


def train_part(data: DepthSet) -> DepthSet:
    return data.part("train").labelled()


def one_image(root: Path, depth: np.ndarray, **about: object) -> DepthSet:
    """Return a set of one grey photo of 64 x 48 with this depth in metres."""
    Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(root / "photo.png")
    np.save(root / "depth.npy", depth.astype(np.float32))
    item = DepthImage(Path("photo.png"), Path("depth.npy"), **about)  # type: ignore[arg-type]
    return DepthSet("one", root, (item,))


def test_images_and_disparity_are_those_of_the_files(toy: DepthSet) -> None:
    part = train_part(toy)
    samples = usable_samples(part, SHAPE, "disparity", 20.0)
    assert len(samples) == 10
    for k, item in enumerate(part.items):
        assert samples.items[k] == item
        assert np.array_equal(samples.image(k), toy.read_image(item))
        disparity = 1.0 / toy.read_target(item)
        np.testing.assert_allclose(samples.target(k), disparity, rtol=1e-3)


def test_a_second_training_finds_the_arrays_and_a_changed_file_makes_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = train_part(make_toy_depth(tmp_path / "set", train=3, validation=0, unlabelled=0))
    usable_samples(data, SHAPE, "disparity", 20.0)
    reads: list[Path] = []
    read = DepthSet.read_image
    monkeypatch.setattr(
        DepthSet, "read_image", lambda self, item: reads.append(item.image) or read(self, item)
    )
    usable_samples(data, SHAPE, "disparity", 20.0)
    assert reads == []
    write_depth_png_mm(data.path(data.items[1].depth or Path()), np.full((HEIGHT, WIDTH), 4.0))
    samples = usable_samples(data, SHAPE, "disparity", 20.0)
    assert len(reads) == 3
    assert float(samples.target(1).max()) == 0.25


def test_a_killed_reading_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = train_part(make_toy_depth(tmp_path / "set", train=70, validation=0, unlabelled=0))
    read, reads = DepthSet.read_image, []

    def killed(self: DepthSet, item: DepthImage) -> object:
        reads.append(item.image)
        if len(reads) == 66:
            raise KeyboardInterrupt
        return read(self, item)

    monkeypatch.setattr(DepthSet, "read_image", killed)
    with pytest.raises(KeyboardInterrupt):
        usable_samples(data, SHAPE, "disparity", 20.0)
    before = len(reads)
    samples = usable_samples(data, SHAPE, "disparity", 20.0)
    assert len(reads) - before == 6  # 64 were there
    assert np.array_equal(samples.image(69), read(data, data.items[69]))


def test_what_cannot_be_taken_is_named_and_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    data = train_part(make_toy_depth(tmp_path / "set", train=6, validation=0, unlabelled=0))
    files = [data.path(item.image) for item in data.items]
    maps = [data.path(item.depth or Path()) for item in data.items]
    files[1].write_text("this is no picture")
    write_depth_png_mm(maps[2], np.zeros((HEIGHT, WIDTH)))
    write_depth_png_mm(maps[3], np.ones((WIDTH, HEIGHT)))  # of another view: upright
    maps[4].unlink()
    said: list[str] = []
    for _ in range(2):  # the second time from the arrays on disk
        said.clear()
        samples = usable_samples(data, SHAPE, "disparity", 20.0, lambda t, _f: said.append(t))
        assert [item.image.name for item in samples.items] == ["0000.png", "0005.png"]
        assert np.array_equal(samples.image(1), data.read_image(data.items[5]))
        reasons = {Path(name).name: why for name, why in samples.left_out}
        assert list(reasons) == ["0001.png", "0002.png", "0003.png", "0004.png"]
        assert "0001.png" in reasons["0001.png"]
        assert reasons["0002.png"] == "no pixel of known depth"
        assert "48 x 64 came for a photo of 64 x 48" in reasons["0003.png"]
        assert any("3 unreadable and 1 of unknown depth of 6" in t for t in said)
    with pytest.raises(InputError, match="that can be read are wanted"):
        usable_samples(dataclasses.replace(data, items=data.items[1:5]), SHAPE, "disparity", 20.0)


def test_far_depth_counts_as_the_farthest_in_disparity_and_is_unknown_in_metres(
    tmp_path: Path,
) -> None:
    depth = np.full((HEIGHT, WIDTH), 2.0)
    depth[:10], depth[10:20], depth[20:30] = 80.0, np.nan, np.inf  # far, unknown, sky
    data = one_image(tmp_path, depth)
    disparity = usable_samples(data, SHAPE, "disparity", 20.0).target(0)
    assert np.unique(disparity[:10]) == pytest.approx(0.05, rel=1e-3)
    assert np.isnan(disparity[10:30]).all()
    assert (disparity[30:] == 0.5).all()
    metres = usable_samples(data, SHAPE, "depth", 20.0).target(0)
    assert np.isnan(metres[:30]).all()
    assert (metres[30:] == 2.0).all()
    with pytest.raises(InputError, match=r"no pixel of known depth up to 1\.5 m"):
        usable_samples(data, SHAPE, "depth", 1.5)


def test_labels_keep_their_order_from_0_to_1_and_are_not_taken_for_metres(tmp_path: Path) -> None:
    ramp = np.linspace(3e4, 9e5, WIDTH)[None].repeat(HEIGHT, 0)  # beyond float16
    data = one_image(tmp_path, ramp, quantity="disparity")
    target = usable_samples(data, SHAPE, "disparity", 20.0).target(0)
    np.testing.assert_allclose(target[0], np.linspace(0, 1, WIDTH), atol=1e-3)
    with pytest.raises(InputError, match="depth in metres is wanted"):
        usable_samples(data, SHAPE, "depth", 20.0)


def test_photo_and_depth_of_another_size_are_cut_round_the_same_middle(tmp_path: Path) -> None:
    """A wide photo and a map half its size: an edge between near and far stays at its place."""
    photo = np.full((60, 160, 3), 200, np.uint8)
    photo[:, 90:] = 20
    depth = np.where(np.arange(80) < 45, 1.0, 4.0)[None].repeat(30, 0)
    data = one_image(tmp_path, depth)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    samples = usable_samples(data, SHAPE, "disparity", 20.0)
    bright = samples.image(0)[24, :, 0] > 110
    near = samples.target(0)[24] > 0.6
    edge = (90 - 40) * WIDTH / 80
    assert abs(int(bright.sum()) - edge) <= 1
    assert abs(int(near.sum()) - edge) <= 1


def test_a_set_without_depth_is_refused(toy: DepthSet) -> None:
    with pytest.raises(InputError, match="images with depth are wanted"):
        usable_samples(toy.unlabelled(), SHAPE, "disparity", 20.0)


def test_what_is_kept_is_a_little_over_the_frame() -> None:
    assert training_shape(changed(crop=0.0)) == SHAPE
    kept = training_shape(changed(crop=0.5))  # the mean crop has three quarters of the sides
    assert (kept.width, kept.height) == (round(64 / 0.75), round(48 / 0.75))


# --- batches ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both(toy: DepthSet) -> tuple[Samples, Samples]:
    shape = training_shape(CONFIG)
    held_out = toy.part("validation").labelled()
    return (
        usable_samples(train_part(toy), shape, "disparity", 20.0),
        usable_samples(held_out, shape, "disparity", 20.0),
    )


def test_an_order_draws_each_equally_often_over_epochs() -> None:
    order = Order(7, seed=3, stream=0)
    drawn = [k for start in range(0, 35, 5) for k in order.draw(start, 5)]
    assert sorted(drawn) == sorted(list(range(7)) * 5)
    assert order.draw(3, 9) == drawn[3:12]  # a function of the place, in any order of asking
    assert Order(7, seed=4, stream=0).draw(0, 7) != drawn[:7]


@pytest.mark.parametrize(
    ("batch", "ratio", "pseudo", "wanted"),
    [
        (16, 2.0, True, (5, 11)),
        (16, 2.0, False, (16, 0)),
        (16, 0.0, True, (16, 0)),
        (16, 100.0, True, (1, 15)),
        (1, 2.0, True, (1, 1)),
    ],
)
def test_a_batch_has_labelled_and_pseudo_labelled_images_by_their_ratio(
    batch: int, ratio: float, pseudo: bool, wanted: tuple[int, int]
) -> None:
    assert split_batch(changed(batch=batch, unlabelled_ratio=ratio), pseudo) == wanted


def tensors(batch: DepthBatch) -> list[Tensor]:
    return [batch.images, batch.targets, batch.valid, batch.cut]


def test_batches_are_a_function_of_the_epoch_alone(both: tuple[Samples, Samples]) -> None:
    batches = DepthBatches(*both, CONFIG)
    assert (batches.labelled_count, batches.pseudo_count, len(batches)) == (2, 4, 5)
    straight = [b for epoch in range(3) for b in batches.epoch(epoch)]
    resumed = list(DepthBatches(*both, CONFIG).epoch(2))
    for a, b in zip(straight[10:], resumed, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(tensors(a), tensors(b), strict=True))
    other = next(DepthBatches(*both, changed(seed=1)).epoch(2))
    assert not torch.equal(other.images, resumed[0].images)
    assert not torch.equal(straight[0].images, resumed[0].images)


def test_labelled_images_come_first_and_are_never_perturbed_strongly(
    both: tuple[Samples, Samples],
) -> None:
    batch = next(DepthBatches(*both, changed(cutmix=1.0, colour=0.0)).epoch(0))
    assert (batch.labelled, tuple(batch.cut.shape)) == (2, (4, HEIGHT, WIDTH))
    assert bool(batch.cut.flatten(1).any(1).all())
    # of images that are only cropped and mirrored the colour still tells the depth
    said = disparity_of_colour(batch.images)
    assert float((said - batch.targets)[:2].abs().median()) < 0.03
    assert float((said - batch.targets)[2:].abs().median()) > 0.03
    weak = next(DepthBatches(*both, changed(strong=False, colour=0.0)).epoch(0))
    assert not weak.cut.any()
    assert float((disparity_of_colour(weak.images) - weak.targets).abs().median()) < 0.03


def disparity_of_colour(images: Tensor) -> Tensor:
    """Invert the toy scenes' colours."""
    return 0.2 + 0.8 * images[:, 0] / 255.0


def test_crops_and_flips_move_image_and_depth_together(both: tuple[Samples, Samples]) -> None:
    rng = np.random.default_rng(0)
    images, targets = weak_views(both[0], list(range(10)), changed(crop=0.5), rng)
    wrong = (disparity_of_colour(images) - targets).abs() > 0.08
    assert float(wrong.float().mean()) < 0.08  # enlarged edges alone
    still, _ = weak_views(both[0], [0], changed(crop=0.0, flip=False), np.random.default_rng(1))
    again, _ = weak_views(both[0], [0], changed(crop=0.0, flip=False), np.random.default_rng(2))
    assert torch.equal(still, again)
    flips = [
        weak_views(both[0], [0], changed(crop=0.0), np.random.default_rng(k))[0] for k in range(12)
    ]
    kinds = {torch.equal(f, still) for f in flips}
    assert kinds == {True, False}
    assert all(torch.equal(f, still) or torch.equal(f.flip(-1), still) for f in flips)


def test_metres_shrink_with_the_crop_and_disparity_does_not(tmp_path: Path) -> None:
    data = one_image(tmp_path, np.full((HEIGHT, WIDTH), 8.0))
    config = changed(stage="metric", fine_tune="x", crop=0.5)
    shape = training_shape(config)
    metres = weak_views(
        usable_samples(data, shape, "depth", 20.0), [0] * 50, config, np.random.default_rng(0)
    )[1].amax((1, 2))
    assert 4.0 <= float(metres.min()) < 4.6
    assert 7.4 < float(metres.max()) <= 8.0
    disparity = weak_views(
        usable_samples(data, shape, "disparity", 20.0), [0] * 9, config, np.random.default_rng(0)
    )[1]
    assert bool((disparity == 0.125).all())


def test_unknown_pixels_are_zeros_that_do_not_count(tmp_path: Path) -> None:
    depth = np.full((HEIGHT, WIDTH), 2.0)
    depth[:, : WIDTH // 2] = np.nan
    samples = usable_samples(one_image(tmp_path, depth), SHAPE, "disparity", 20.0)
    batch = next(DepthBatches(samples, None, changed(crop=0.0, flip=False, batch=2)).epoch(0))
    assert len(batch.cut) == 0
    assert bool((batch.targets[~batch.valid] == 0).all())
    assert float(batch.valid.float().mean()) == 0.5
    assert bool((batch.targets[batch.valid] == 0.5).all())
