"""The settings: the paper's by default, refused where they make no sense, the same after a file."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.records.config_file import config_from_toml
from sightline.tasks.relative.config import (
    RelativeConfig,
    read_config,
    scaled_channels,
    scratch_config,
    small_paper_config,
    write_config,
)

EXAMPLES = Path(__file__).resolve().parents[3] / "configs" / "relative"


def test_defaults_are_the_papers() -> None:
    config = RelativeConfig()
    assert config.model == "cnnBspp"
    assert (config.learning_rate, config.weight_decay, config.batch) == (1e-4, 1e-5, 128)
    assert (config.beta, config.short_side, config.epochs) == (10.0, 323, 15)
    assert config.loss == "norm"


@pytest.mark.parametrize(
    ("model", "training", "test"),
    [
        ("cnnA", (227, 227), (227, 227)),
        ("cnnB", (227, 227), (227, 227)),
        ("cnnAspp", (323, 323), (227, 227)),
        ("cnnBspp", (323, 323), (227, 227)),
    ],
)
def test_crops_are_the_papers(model: str, training: tuple[int, int], test: tuple[int, int]) -> None:
    config = RelativeConfig(model=model)  # type: ignore[arg-type]
    assert config.crop_size(training=True) == training
    assert config.crop_size(training=False) == test


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_size": 200},
        {"short_side": 300},
        {"width": 0.0},
        {"beta": -1.0},
        {"aspect": 10.0},
        {"model": "siamese", "test_size": 16},
        {"epochs": 0},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"{list(wrong)[-1]} = "):
        RelativeConfig(**wrong)  # type: ignore[arg-type]


def test_a_config_survives_its_file(tmp_path: Path) -> None:
    config = dataclasses.replace(scratch_config(), fine_tune="runs/first", seed=3)
    write_config(tmp_path / "config.toml", config, run={"pairs": "somewhere"})
    assert read_config(tmp_path / "config.toml") == config
    (tmp_path / "config.toml").write_text('task = "absolute"\n')
    with pytest.raises(InputError, match="task relative is wanted, absolute came"):
        read_config(tmp_path / "config.toml")


def test_example_files_are_the_settings_in_the_code() -> None:
    assert config_from_toml(RelativeConfig, EXAMPLES / "siamese.toml") == scratch_config()
    for model in ("cnnA", "cnnB", "cnnAspp", "cnnBspp"):
        example = config_from_toml(RelativeConfig, EXAMPLES / f"{model}-small.toml")
        assert example == small_paper_config(model)
        paper = config_from_toml(RelativeConfig, EXAMPLES / f"{model}-paper.toml")
        assert paper == RelativeConfig(model=model)


def test_it_imports_without_torch() -> None:
    code = "import sys, sightline.tasks.relative.config; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_channels_stay_even() -> None:
    assert scaled_channels(96, 1.0) == 96
    assert scaled_channels(96, 0.25) == 24
    assert scaled_channels(96, 0.01) == 8
    assert all(scaled_channels(256, w / 100) % 2 == 0 for w in range(1, 200))
