"""The predictor: sizes, intrinsics, options, what is asked of the mirrored picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tiny_depth_networks import make_depth_anything

import sightline
from sightline.errors import InputError, WeightsError
from sightline.media import read_photo
from sightline.tasks import Picture
from sightline.tasks.depth import checkpoint
from sightline.tasks.depth.flips import predict_flipped
from sightline.tasks.depth.maps import DepthMap
from sightline.tasks.depth.outputs import DepthAnswer
from sightline.tasks.depth.photos import DepthOptions, DepthPredictor, make_predictor, shrunk
from stand_in_depth import StandIn, ramp_picture, red_is_near

METRIC = StandIn(lambda image: 2.0 + image[..., 0] / 100.0, "depth", "m")


def ask(image: NDArray[np.uint8], model: StandIn | None = None, **options: object) -> DepthAnswer:
    predictor = DepthPredictor(model or StandIn(), DepthOptions(**options))  # type: ignore[arg-type]
    return predictor(Picture("a picture", image))


def test_a_large_photo_gives_a_map_of_a_bounded_size() -> None:
    image = ramp_picture(3000, 1500)
    answer = ask(image, METRIC, max_side=512)
    assert answer.values.shape == (256, 512)
    content = answer.to_json()
    assert (content["width"], content["height"]) == (512, 256)
    assert (content["photo_width"], content["photo_height"]) == (3000, 1500)
    # half a pixel at the border: pixel (0, 0) is the middle of the first pixel
    scale = 512 / 3000
    assert answer.camera.fx == pytest.approx(1.2 * 3000 * scale)
    assert answer.camera.cx == pytest.approx((1499.5 + 0.5) * scale - 0.5)
    assert answer.camera_source == "estimated"
    np.testing.assert_allclose(answer.values[:, 256], 2 + 255 / 100 / 2, rtol=0.01)
    assert ask(image, METRIC, max_side=0).values.shape == (1500, 3000)


def test_pixels_of_the_photo_are_found_on_the_smaller_map() -> None:
    image = ramp_picture(1200, 900)
    answer = ask(image, known_distance=(1199.0, 450.0, 3.0), max_side=300)
    assert answer.unit == "m"
    assert answer.values[112, 299] == pytest.approx(3.0, rel=2e-3)
    assert answer.values[112, 0] == pytest.approx(6.0, rel=1e-2)
    assert answer.scaled.source == "known distance"
    whole = ask(image, known_distance=(1199.0, 450.0, 3.0), max_side=0)
    assert whole.values[450, 1199] == pytest.approx(3.0, rel=1e-4)


def test_intrinsics_given_from_exif_or_estimated(tmp_path: Path) -> None:
    picture = Image.fromarray(ramp_picture(360, 240))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 35  # 35 mm film
    path = tmp_path / "a.jpg"
    picture.save(path, exif=exif)
    photo = Picture(str(path), read_photo(path), path)
    answer = DepthPredictor(METRIC, DepthOptions())(photo)
    assert answer.camera_source == "exif"
    assert answer.camera.fx == pytest.approx(35 * np.hypot(360, 240) / np.hypot(36, 24))
    given = DepthPredictor(METRIC, DepthOptions(intrinsics=(300.0, 310.0, 170.0, 120.0)))(photo)
    assert given.camera_source == "given"
    assert given.camera.params == (300.0, 310.0, 170.0, 120.0)


def test_one_colour_and_one_pixel() -> None:
    flat = ask(np.full((48, 64, 3), 200, np.uint8))
    assert flat.flat
    assert flat.one_colour
    assert "it is of one colour, which shows no depth" in flat.notes[0]
    blind = DepthPredictor(StandIn(lambda image: np.ones(image.shape[:2])), DepthOptions())
    seen = blind(Picture("a picture", ramp_picture(64, 48)))
    assert (seen.flat, seen.one_colour) == (True, False)
    assert seen.notes == ("a picture: the network sees no depth in it",)
    pixel = ask(np.zeros((1, 1, 3), np.uint8), uncertainty=True, tiles=3)
    assert pixel.values.shape == (1, 1)
    for bad in (np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3))):
        with pytest.raises(
            InputError, match=r"a picture: a uint8 RGB picture of shape \(H, W, 3\)"
        ):
            ask(bad)  # type: ignore[arg-type]


def test_uncertainty_is_half_of_what_the_mirrored_picture_says_otherwise() -> None:
    image = ramp_picture(80, 60)

    def leaning(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        # metric, and 20 cm farther on the left half of whatever it sees
        return red_is_near(picture) + 0.2 * (np.arange(picture.shape[1]) < 40)

    answer = ask(image, StandIn(leaning, "depth", "m"), uncertainty=True)
    np.testing.assert_allclose(answer.uncertainty, 0.1, rtol=1e-5)
    np.testing.assert_allclose(answer.values, red_is_near(image) + 0.1, rtol=1e-5)
    assert ask(image, StandIn(leaning, "depth", "m")).uncertainty is None


def test_uncertainty_of_a_relative_network_forgives_scale_and_shift() -> None:
    image = ramp_picture(80, 60)

    def fickle(picture: NDArray[np.uint8]) -> DepthMap:
        mirrored = picture[0, 0, 0] > picture[0, -1, 0]
        values = red_is_near(picture) * (3.0 if mirrored else 1.0) + (2.0 if mirrored else 0.0)
        return DepthMap(values.astype(np.float32), "disparity", "relative")

    mean, spread = predict_flipped(fickle, image)
    assert spread.max() < 1e-4
    np.testing.assert_allclose(mean.values, red_is_near(image), atol=1e-4)


def test_uncertainty_goes_into_metres_with_the_map() -> None:
    image = ramp_picture(80, 60)

    def leaning(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
        return red_is_near(picture) + 0.02 * (np.arange(picture.shape[1]) < 20)

    known = (60.0, 30.0, 3.0)
    answer = ask(image, StandIn(leaning), uncertainty=True, known_distance=known)
    disparity = 1.0 / answer.values[:, :20]
    half = answer.scaled.scale * 0.01  # type: ignore[operator]
    finite = 0.5 * np.abs(1 / (disparity - half) - 1 / (disparity + half))
    assert answer.uncertainty is not None
    np.testing.assert_allclose(answer.uncertainty[:, :20], finite, rtol=0.02)
    assert answer.uncertainty[:, 21:59].max() < 0.01 * finite.min()


def test_a_video_keeps_the_scale_of_its_first_frame_until_a_cut() -> None:
    scales = iter([1.0, 2.0, 0.5, 3.0])

    def fickle(image: NDArray[np.uint8]) -> NDArray[np.float64]:
        return red_is_near(image) * next(scales)

    predictor = DepthPredictor(StandIn(fickle), DepthOptions(known_distance=(79.0, 30.0, 2.0)))
    first, other = ramp_picture(80, 60), ramp_picture(80, 60)[::-1, ::-1].copy()
    other[..., 2] = 250
    path = Path("walk.mp4")
    answers = [
        predictor(Picture(f"walk.mp4#{k}", other if k == 3 else first, path, k, k / 10))
        for k in range(4)
    ]
    for answer in answers[:3]:
        assert answer.unit == "m"
        assert answer.values[30, 79] == pytest.approx(2.0, rel=0.05)
    assert answers[3].to_json()["scene_cut"] is True
    assert answers[3].unit == "relative"  # that pixel shows something else now
    assert answers[1].to_json()["frame"] == 1


def test_a_frame_says_by_how_much_its_network_s_metres_were_changed() -> None:
    factors = iter((1.0, 2.0))
    model = StandIn(lambda image: next(factors) * (2.0 + image[..., 0] / 100.0), "depth", "m")
    predictor, frame = DepthPredictor(model, DepthOptions()), ramp_picture(80, 60)
    first, second = (
        predictor(Picture(f"walk.mp4#{k}", frame, Path("walk.mp4"), k, k / 10)) for k in range(2)
    )
    assert first.to_json()["video_scale"] == 1.0
    said = second.to_json()
    assert (said["video_scale"], said["video_shift"]) == (pytest.approx(0.5, rel=0.02), 0.0)
    own = 2.0 * (2.0 + frame[..., 0] / 100.0)
    np.testing.assert_allclose(second.values, said["video_scale"] * own, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"known_distance": (1, 2, 3), "metric": Path("x")}, "one source of the scale is wanted"),
        ({"known_distance": (1, 2)}, "--known-distance wants 3 finite numbers, 1 2 came"),
        ({"known_length": (1, 2, 3, 4, np.nan)}, "--known-length wants 5 finite numbers"),
        ({"intrinsics": (0, 2, 3, 4)}, "positive focal lengths are wanted"),
        ({"max_side": 8}, "a side of 32 pixels or more"),
        ({"tiles": 0}, "1 to 16 tiles or auto are wanted, 0 came"),
        ({"metric": Path("nowhere")}, "nowhere is not a place"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError, match=text):
        make_predictor(None, DepthOptions(**options))  # type: ignore[arg-type]


def test_a_run_and_weights_exclude_each_other() -> None:
    with pytest.raises(InputError, match="a run folder or --weights is wanted"):
        make_predictor(Path("run"), DepthOptions(weights="other"))


def test_the_package_may_have_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint.need_default_model, "__defaults__", (tmp_path,))
    with pytest.raises(WeightsError, match="the package has none in"):
        checkpoint.need_default_model()


def test_shrinking_keeps_the_shape_and_small_pictures() -> None:
    image = ramp_picture(300, 10)
    assert shrunk(image, 0) is image
    assert shrunk(image, 300) is image
    assert shrunk(image, 32).shape == (1, 32, 3)


@pytest.mark.parametrize("metric", [False, True])
def test_a_checkpoint_of_depth_anything_all_the_way(tmp_path: Path, metric: bool) -> None:
    folder = make_depth_anything(tmp_path / "network", metric=metric)
    path = tmp_path / "a.jpg"
    Image.fromarray(ramp_picture(160, 120)).save(path)
    answer = sightline.predict_depth(path, folder)
    said = answer.to_json()
    named = (said["unit"], said["quantity"], said["scale_source"])
    assert named == (("m", "depth", "checkpoint") if metric else ("relative", "disparity", "none"))
    if metric:
        assert 0 < said["min"] <= said["max"] <= 20
    assert answer.values.shape == (120, 160)
    assert said["model"] == "network"
    tiled = make_predictor(None, DepthOptions(weights=str(folder), tiles="auto", uncertainty=True))
    assert tiled(Picture("a", ramp_picture(160, 120))).values.shape == (120, 160)
    assert sightline.predict_depth(path, folder).values.tolist() == answer.values.tolist()
