"""Depth Anything through transformers: tiny checkpoints, compared with transformers' own path."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_depth_networks import make_depth_anything, make_dinov2

from sightline.errors import InputError, WeightsError
from sightline.tasks.depth.hub import transformers
from sightline.tasks.depth.pretrained import PUBLISHED, load_pretrained

SIZES = [(90, 120), (120, 90), (70, 70), (33, 57), (300, 200), (64, 64)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("hub")
    return {
        "v1": make_depth_anything(root / "v1", layers=(3, 4, 5, 6)),
        "v2": make_depth_anything(root / "v2", layers=(1, 3, 4, 6)),
        "metric": make_depth_anything(root / "metric", metric=True),
    }


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return np.array(coarse.resize((width, height), Image.Resampling.BICUBIC))


def transformers_own(folder, image: np.ndarray) -> np.ndarray:
    """What the published example computes (the model card's own code)."""
    library = transformers()
    processor = library.AutoImageProcessor.from_pretrained(folder)
    model = library.AutoModelForDepthEstimation.from_pretrained(folder).eval()
    inputs = processor(images=Image.fromarray(image), return_tensors="pt")
    with torch.no_grad():
        outputs = model(**inputs)
    sizes = [image.shape[:2]]
    found = processor.post_process_depth_estimation(outputs, target_sizes=sizes)
    return found[0]["predicted_depth"].numpy()


@pytest.mark.parametrize("kind", ["v1", "v2", "metric"])
def test_it_answers_what_transformers_does(folders, kind) -> None:
    model = load_pretrained(folders[kind])
    pictures = [picture(*size, seed) for seed, size in enumerate(SIZES)]
    for image, found in zip(pictures, model.predict(pictures), strict=True):
        expected = transformers_own(folders[kind], image)
        np.testing.assert_allclose(found.values, expected.clip(min=0), rtol=1e-4, atol=1e-4)
        assert np.ptp(found.values) > 1e-3


def test_it_answers_what_the_pipeline_does(folders) -> None:
    image = picture(90, 120)
    estimate = transformers().pipeline("depth-estimation", model=str(folders["v2"]), device="cpu")
    expected = estimate(Image.fromarray(image))["predicted_depth"].numpy()
    found = load_pretrained(folders["v2"]).predict([image])[0].values
    np.testing.assert_allclose(found, expected.clip(min=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "quantity", "unit"),
    [("v1", "disparity", "relative"), ("v2", "disparity", "relative"), ("metric", "depth", "m")],
)
def test_the_checkpoint_says_what_it_predicts(folders, kind, quantity, unit) -> None:
    model = load_pretrained(folders[kind])
    found = model.predict([picture(50, 60)])[0]
    assert (model.quantity, model.unit) == (found.quantity, found.unit) == (quantity, unit)
    assert model.name == kind
    if unit == "m":
        assert (found.values > 0).all()
        assert (found.values <= 20).all()


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((640, 480), (98, 70)),  # the side that changes least: the height
        ((480, 640), (70, 98)),
        ((70, 70), (70, 70)),
        ((35, 50), (56, 70)),
        ((10, 8), (70, 56)),
    ],
)
def test_sizes_are_the_processors(folders, size, seen) -> None:
    assert load_pretrained(folders["v2"]).size_of(*size) == seen
    library = transformers()
    processor = library.AutoImageProcessor.from_pretrained(folders["v2"])
    pixels = processor(images=picture(size[1], size[0]), return_tensors="pt")["pixel_values"]
    assert tuple(pixels.shape[-2:]) == seen[::-1]


@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (900, 1), (3, 800), (40, 2000)])
def test_odd_pictures_are_answered_in_bounded_memory(folders, shape) -> None:
    model = load_pretrained(folders["v2"])
    width, height = model.size_of(shape[1], shape[0])
    assert width % 14 == height % 14 == 0
    assert width * height <= 4 * 70 * 70
    found = model.predict([picture(*shape)])[0].values
    assert found.shape == shape
    assert np.isfinite(found).all()


def test_a_higher_resolution_is_seen(folders) -> None:
    model = load_pretrained(folders["v2"], resolution=2.0)
    assert model.size_of(640, 480) == (182, 140)
    assert model.predict([picture(48, 64)])[0].values.shape == (48, 64)
    assert model.digest != load_pretrained(folders["v2"]).digest


def test_a_picture_is_answered_alike_alone_and_in_a_batch(folders) -> None:
    model = load_pretrained(folders["v2"])
    pictures = [picture(60, 80, seed) for seed in range(6)] + [picture(80, 60)]
    for alone, among in zip(pictures, model.predict(pictures), strict=True):
        found = model.predict([alone])[0].values
        np.testing.assert_allclose(found, among.values, rtol=1e-4, atol=1e-5)


def test_a_picture_that_cannot_be_written_to_is_read(folders) -> None:
    image = picture(40, 50)
    image.setflags(write=False)  # as Pillow gives them
    found = load_pretrained(folders["v2"]).predict([image])[0].values
    np.testing.assert_array_equal(
        found, load_pretrained(folders["v2"]).predict([image.copy()])[0].values
    )


def test_disparity_is_not_negative_beside_edges(folders) -> None:
    assert all(
        (load_pretrained(folders["v1"]).predict([picture(300, 400, seed)])[0].values >= 0).all()
        for seed in range(3)
    )


def test_the_digest_tells_checkpoints_apart_and_not_places(folders, tmp_path) -> None:
    digests = [load_pretrained(folder).digest for folder in folders.values()]
    assert len(set(digests)) == 3  # V1's and V2's weights are the same here, the layers are not
    elsewhere = shutil.copytree(folders["v1"], tmp_path / "elsewhere")
    assert load_pretrained(elsewhere).digest == digests[0]


def test_a_folder_without_a_processor_gets_the_published_one(tmp_path) -> None:
    model = load_pretrained(make_depth_anything(tmp_path / "bare", processor=False))
    assert model.size_of(640, 480) == (686, 518)  # 518 x 691 in multiples of 14
    assert model.contract.mean == (0.485, 0.456, 0.406)


def test_names_of_all_published_kinds_are_listed() -> None:
    assert "depth-anything/Depth-Anything-V2-Small-hf" in PUBLISHED
    assert "depth-anything/Depth-Anything-V2-Metric-Outdoor-Large-hf" in PUBLISHED
    assert "LiheYoung/depth-anything-base-hf" in PUBLISHED
    assert len(set(PUBLISHED)) == 12


@pytest.mark.parametrize("name", [PUBLISHED[0], "LiheYoung/depth-anything-small-hf"])
def test_a_published_name_without_a_network_says_how_to_get_it(name, monkeypatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match=f"hf download {name} --local-dir FOLDER") as caught:
        load_pretrained(name)
    assert "\n" not in str(caught.value)


def test_the_authors_own_repository_is_named_to_the_right_one() -> None:
    with pytest.raises(WeightsError, match=r"it is depth-anything/Depth-Anything-V2-Small-hf$"):
        load_pretrained("depth-anything/Depth-Anything-V2-Small")


def test_a_checkpoint_without_the_mask_of_training_answers_alike(folders, tmp_path) -> None:
    folder = shutil.copytree(folders["v2"], tmp_path / "v2")
    state = load_file(folder / "model.safetensors")
    state.pop("backbone.embeddings.mask_token")
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    models = [load_pretrained(folder), load_pretrained(folder), load_pretrained(folders["v2"])]
    first, _, whole = (model.predict([picture(40, 50)])[0].values for model in models)
    np.testing.assert_array_equal(first, whole)
    assert models[0].digest == models[1].digest


def test_another_network_is_refused(tmp_path) -> None:
    with pytest.raises(WeightsError, match="of the kind dinov2; published are depth-anything/"):
        load_pretrained(make_dinov2(tmp_path / "dinov2"))


def test_a_pickle_is_not_read(tmp_path) -> None:
    folder = make_depth_anything(tmp_path / "pickled")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="cannot be read as one"):
        load_pretrained(folder)


def test_missing_weights_are_refused(tmp_path) -> None:
    folder = make_depth_anything(tmp_path / "holes")
    state = load_file(folder / "model.safetensors")
    state.pop("head.conv3.weight")
    save_file(state, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 1 of its tensors \(head\.conv3\.weight"):
        load_pretrained(folder)


def test_weights_of_another_size_are_refused(tmp_path) -> None:
    folder = make_depth_anything(tmp_path / "resized")
    config = json.loads((folder / "config.json").read_text())
    config["head_hidden_size"] = 16
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=r"is wanted, .*resized"):
        load_pretrained(folder)


def test_damaged_weights_are_refused_in_one_line(tmp_path) -> None:
    folder = make_depth_anything(tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be read as one") as caught:
        load_pretrained(folder)
    assert "\n" not in str(caught.value)


def test_what_is_no_picture_is_refused(folders) -> None:
    with pytest.raises(InputError, match="a uint8 RGB picture of shape"):
        load_pretrained(folders["v1"]).predict([np.zeros((4, 4), np.uint8)])
