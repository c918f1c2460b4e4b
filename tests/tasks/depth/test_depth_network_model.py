"""A network as a model: sizes, resizing with exact truths, batches, runs."""

import math
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_depth_networks import TINY, ColumnNet, make_depth_run

from sightline.errors import GeometryError, InputError, WeightsError
from sightline.learning.runs import WEIGHTS
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.model import create_model
from sightline.tasks.depth.predict import enlarged, load_run, ready
from sightline.tasks.depth.sizes import fit_inside, input_size, resized


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return make_depth_run(tmp_path_factory.mktemp("runs") / "tiny")


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth blobs with noise, so that resizing matters little and places differ."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return resized(coarse, (width, height), "bicubic")


@pytest.mark.parametrize(
    ("picture_size", "seen"),
    [
        ((640, 480), (192, 144)),
        ((480, 640), (144, 192)),
        ((192, 144), (192, 144)),
        ((20, 15), (192, 144)),
        ((1000, 1000), (160, 160)),
        ((1920, 1080), (224, 128)),
        ((8660, 5774), (192, 128)),
    ],
)
def test_sizes_keep_the_area_and_the_aspect(picture_size, seen) -> None:
    assert input_size(*picture_size, 192 * 144, 16) == seen


@given(
    st.integers(1, 20000),
    st.integers(1, 20000),
    st.sampled_from([8, 14, 16, 32]),
    st.integers(48 * 48, 518 * 518),
)
def test_sizes_are_bounded_and_hardly_distorted(width, height, multiple, area) -> None:
    w, h = input_size(width, height, area, multiple)
    assert w % multiple == h % multiple == 0
    assert min(w, h) >= multiple
    scale = math.sqrt(area / (width * height))
    if min(width, height) * scale >= multiple:
        # each side within one multiple of the exact one
        assert abs(w - width * scale) < multiple
        assert abs(h - height * scale) < multiple
    else:
        assert w * h <= max(area, multiple**2)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_a_picture_fits_inside_a_frame_and_keeps_its_aspect(width, height) -> None:
    left, top, right, bottom = fit_inside(width, height, 96, 64)
    assert 0 <= left < right <= 96
    assert 0 <= top < bottom <= 64
    assert (right - left, bottom - top)[0 if width / height >= 96 / 64 else 1] in (96, 64)
    exact = min(96 / width, 64 / height)
    assert abs((right - left) - width * exact) <= max(0.5, 1 - width * exact) + 1e-9
    assert abs((bottom - top) - height * exact) <= max(0.5, 1 - height * exact) + 1e-9


@pytest.mark.parametrize(("height", "width"), [(48, 64), (96, 128), (480, 640), (100, 333)])
def test_every_pixel_gets_what_the_network_says_of_its_place(height: int, width: int) -> None:
    model = ready(ColumnNet(), TINY, "columns")
    values = model.predict([picture(height, width)])[0].values
    assert values.shape == (height, width)
    assert values.dtype == np.float32
    seen = model.size_of(width, height)[0]
    # the middle of a pixel of the picture lies at the same share of the width as in what is seen
    expected = np.clip((np.arange(width) + 0.5) / width * seen - 0.5, 0, seen - 1) + 30.0
    np.testing.assert_allclose(values, np.broadcast_to(expected, values.shape), atol=1e-3)


def test_a_small_picture_gets_the_mean_of_what_lies_under_its_pixels() -> None:
    model = ready(ColumnNet(), TINY, "columns")
    values = model.predict([picture(3, 4)])[0].values
    assert model.size_of(4, 3) == (64, 48)
    np.testing.assert_allclose(values[:, 1:3], [[53.5, 69.5]] * 3, atol=0.5)
    np.testing.assert_allclose(values.mean(), 30 + 31.5, atol=0.1)


def test_enlarging_is_torchs_bilinear() -> None:
    small = torch.rand(12, 16)
    expected = torch.nn.functional.interpolate(
        small[None, None], size=(50, 70), mode="bilinear", align_corners=False
    )[0, 0]
    np.testing.assert_allclose(enlarged(small, (50, 70)), expected.numpy(), atol=1e-6)


def test_pictures_of_one_size_are_computed_together_and_come_back_in_order() -> None:
    net = ColumnNet()
    model = ready(net, TINY, "columns")
    shapes = [(48, 64), (64, 48), (96, 128), (48, 64), (10, 90), (64, 48)] + [(48, 64)] * 9
    maps = model.predict([picture(*shape) for shape in shapes])
    assert [m.values.shape for m in maps] == shapes
    assert sorted(shape[0] for shape in net.seen) == [1, 2, 4, 8]


def test_a_picture_is_answered_alike_alone_and_in_a_batch(run_dir) -> None:
    model = load_run(run_dir)
    pictures = [picture(48, 64, seed) for seed in range(5)] + [picture(90, 60)]
    together = model.predict(pictures)
    for alone, among in zip(pictures, together, strict=True):
        once = model.predict([alone])[0]
        np.testing.assert_allclose(once.values, among.values, rtol=1e-4, atol=1e-5)
        assert (once.quantity, once.unit) == ("disparity", "relative")
    assert np.ptp([m.values.mean() for m in together]) > 1e-3  # pictures do differ


def test_answers_are_the_same_each_time(run_dir) -> None:
    first, second = (load_run(run_dir).predict([picture(50, 70)])[0].values for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_picture_is_seen_as_in_training(run_dir) -> None:
    """Of the training frames' size, nothing is resized: the network's answer itself comes back."""
    model = load_run(run_dir)
    image = picture(48, 64)
    pixels = model.contract.normalise(torch.from_numpy(image.copy()).permute(2, 0, 1)[None])
    with torch.no_grad():
        expected = model.network(pixels).prediction[0].numpy()
    np.testing.assert_allclose(model.predict([image])[0].values, expected, rtol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1), (2, 2), (5, 4000)])
def test_odd_pictures_are_answered(run_dir, shape) -> None:
    values = load_run(run_dir).predict([picture(*shape)])[0].values
    assert values.shape == shape
    assert np.isfinite(values).all()


@pytest.mark.parametrize("level", [0, 127, 255])
def test_a_picture_of_one_colour_is_answered(run_dir, level) -> None:
    values = load_run(run_dir).predict([np.full((48, 64, 3), level, np.uint8)])[0].values
    assert np.isfinite(values).all()


@pytest.mark.slow
def test_a_picture_of_50_megapixels_takes_bounded_memory(run_dir) -> None:
    model = load_run(run_dir)
    image = np.zeros((5774, 8660, 3), np.uint8)
    tracemalloc.start()
    values = model.predict([image])[0].values
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert values.shape == (5774, 8660)
    assert peak < 1.5 * image.nbytes  # NumPy's part; torch holds the map itself and no copy


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(run_dir, image) -> None:
    with pytest.raises(InputError, match="a uint8 RGB picture of shape"):
        load_run(run_dir).predict([picture(4, 4), image])


def test_no_pictures_have_no_answers(run_dir) -> None:
    assert load_run(run_dir).predict([]) == []


def test_answers_that_are_not_finite_are_refused() -> None:
    net = create_model(TINY)
    torch.nn.init.constant_(net.head.bias, float("nan"))
    with pytest.raises(GeometryError, match="the network broken gave others"):
        ready(net, TINY, "broken").predict([picture(48, 64)])


def test_a_higher_resolution_sees_more_and_answers_the_same_size(run_dir) -> None:
    twice = load_run(run_dir, resolution=2.0)
    assert load_run(run_dir).size_of(640, 480) == (64, 48)
    assert twice.size_of(640, 480) == (128, 96)
    assert twice.predict([picture(480, 640)])[0].values.shape == (480, 640)
    with pytest.raises(InputError, match=r"a resolution from 0\.1 to 16"):
        load_run(run_dir, resolution=0)


def test_bfloat16_is_near_to_float32(run_dir) -> None:
    image = picture(48, 64)
    exact, mixed = (
        load_run(run_dir, precision=precision).predict([image])[0].values
        for precision in ("float32", "bfloat16")
    )
    assert 0 < np.abs(exact - mixed).max() < 0.1 * exact.max()


def test_the_digest_tells_weights_and_settings_apart(run_dir, tmp_path) -> None:
    model = load_run(run_dir)
    assert model.digest == load_run(run_dir).digest
    other = make_depth_run(tmp_path / "other", seed=1)
    metric = make_depth_run(tmp_path / "metric", replace(TINY, stage="metric"))
    frames = make_depth_run(tmp_path / "frames", replace(TINY, frame_width=80))
    digests = {
        model.digest,
        load_run(run_dir, resolution=2.0).digest,
        load_run(run_dir, precision="bfloat16").digest,
        *(load_run(folder).digest for folder in (other, metric, frames)),
    }
    assert len(digests) == 6


def test_a_metric_run_says_metres(tmp_path) -> None:
    config = replace(TINY, stage="metric", max_depth_m=5.0)
    found = load_run(make_depth_run(tmp_path / "metric", config)).predict([picture(60, 80)])[0]
    assert (found.quantity, found.unit) == ("depth", "m")
    assert (found.values > 0).all()
    assert (found.values <= 5).all()


def test_a_dpt_run_sees_multiples_of_its_patch(tmp_path) -> None:
    config = DepthConfig(architecture="dpt", encoder="tiny", frame_width=70, frame_height=42)
    torch.manual_seed(0)
    model = ready(create_model(config), config, "dpt")
    assert model.size_of(640, 480) == (56, 42)
    assert model.predict([picture(60, 80)])[0].values.shape == (60, 80)


def test_a_run_that_did_not_end_is_refused(run_dir, tmp_path) -> None:
    (make_depth_run(tmp_path / "cut") / WEIGHTS).unlink()
    with pytest.raises(WeightsError, match="its training did not end"):
        load_run(tmp_path / "cut")


def test_weights_of_another_network_are_refused(run_dir, tmp_path) -> None:
    wide = make_depth_run(tmp_path / "wide", replace(TINY, width=0.12))
    (wide / WEIGHTS).write_bytes((run_dir / WEIGHTS).read_bytes())
    with pytest.raises(WeightsError, match="does not fit"):
        load_run(wide)
