"""The utility network and its predictor: sizes, shapes, what goes in and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from sightline.errors import CatalogError, InputError, WeightsError
from sightline.learning.resnet import create_resnet
from sightline.learning.runs import save_weights
from sightline.tasks.utility.config import UtilityConfig, read_config, write_config
from sightline.tasks.utility.model import create_model
from sightline.tasks.utility.predict import UtilityModel, load_predictor, need_default_model, ready

TINY = UtilityConfig(width=0.0625, frame_px=32)


def photo(seed: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def predictor() -> UtilityModel:
    torch.manual_seed(0)
    return ready(create_model(TINY), TINY, "tiny", calibration=(0.3, 2.0))


def test_the_papers_network_is_a_resnet18_with_two_outputs() -> None:
    # torchvision's ResNet-18 without its classifier has 11,176,512 parameters
    network = create_model(UtilityConfig(width=1.0))
    assert network.parameter_count() == 11_176_512 + 2 * 512 + 2
    assert create_model(TINY).parameter_count() < 60_000


def test_other_classifiers_of_torchvision_serve_too() -> None:
    network = create_model(UtilityConfig(backbone="shufflenet_v2_x0_5", width=1.0, frame_px=32))
    network.eval()
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 2)
    with pytest.raises(CatalogError, match=r"width 1 alone, 0\.5 came"):
        create_model(UtilityConfig(backbone="shufflenet_v2_x0_5", width=0.5))
    with pytest.raises(CatalogError, match="no backbone 'resnet19'"):
        create_model(UtilityConfig(backbone="resnet19", width=1.0))


def test_it_starts_from_a_file_of_the_same_network(tmp_path: Path) -> None:
    torch.manual_seed(1)
    state = create_resnet("resnet18", 0.0625).state_dict()
    save_file(state, tmp_path / "net.safetensors")
    network = create_model(dataclasses.replace(TINY, weights=str(tmp_path / "net.safetensors")))
    assert torch.equal(network.features.get_parameter("conv1.weight"), state["conv1.weight"])
    with pytest.raises(WeightsError, match="does not fit resnet18"):
        create_model(UtilityConfig(width=0.125, weights=str(tmp_path / "net.safetensors")))


def test_an_image_of_any_size_is_stretched_to_the_frame(predictor: UtilityModel) -> None:
    images = [photo(0, 1, 1), photo(1, 32, 32), photo(2, 50, 90), photo(3, 200, 7)]
    found = predictor.utility(images, batch=3)
    assert (found.dtype, found.shape) == (np.float32, (4,))
    assert ((found > 0) & (found < 1)).all()
    one_by_one = [predictor.utility([image])[0] for image in images]
    assert found == pytest.approx(one_by_one, abs=1e-5)
    assert predictor.utility([]).shape == (0,)
    assert predictor.useful(images).tolist() == (found >= predictor.threshold).tolist()


def test_calibration_adds_and_multiplies_the_logit(predictor: UtilityModel) -> None:
    images = [photo(k, 32, 32) for k in range(3)]
    plain = dataclasses.replace(predictor, calibration=(0.0, 1.0))
    odds = np.log(p := plain.utility(images).astype(float)) - np.log1p(-p)
    expected = 1 / (1 + np.exp(-(0.3 + 2.0 * odds)))
    assert predictor.utility(images) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.float32),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_what_is_no_rgb_image_is_refused(predictor: UtilityModel, image: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"a uint8 RGB image \(H, W, 3\) is wanted"):
        predictor.utility([image])


def test_a_run_folder_is_read_back_whole(tmp_path: Path, predictor: UtilityModel) -> None:
    write_config(tmp_path / "config.toml", TINY, run={"threshold": 0.25, "calibration": [0.3, 2.0]})
    with pytest.raises(WeightsError, match="its training did not end"):
        load_predictor(tmp_path)
    save_weights(tmp_path / "model.safetensors", predictor.network)
    assert read_config(tmp_path / "config.toml") == TINY
    again = load_predictor(tmp_path)
    images = [photo(k, 40, 30) for k in range(3)]
    assert again.utility(images) == pytest.approx(predictor.utility(images), abs=1e-6)
    assert (again.threshold, again.name) == (0.25, tmp_path.name)
    write_config(tmp_path / "config.toml", TINY, run={"threshold": 0.5, "calibration": [0.3, 2.0]})
    assert load_predictor(tmp_path).digest != again.digest


def test_without_a_network_in_the_package_one_line_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="sightline train utility"):
        need_default_model(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"), [("frame_px", 16), ("width", 0.0), ("shift_px", 40), ("learning_rate", 0.0)]
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{name} = "):
        UtilityConfig(**{name: value})  # type: ignore[arg-type]
