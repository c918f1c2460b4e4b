"""The model that comes with the package: half the bytes, the same answers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from sightline.errors import InputError
from sightline.learning.runs import read_run_table, save_weights
from sightline.records.pairs import PairSet
from sightline.records.views import pair_views
from sightline.tasks.relative.checkpoint import bundle_run
from sightline.tasks.relative.config import RelativeConfig, write_config
from sightline.tasks.relative.model import create_model
from sightline.tasks.relative.predict import default_model, load_run


def write_run(run_dir: Path, config: RelativeConfig) -> None:
    torch.manual_seed(0)
    write_config(
        run_dir / "config.toml", config, run={"pairs": "/home/me/rooms", "confidence": 0.25}
    )
    save_weights(run_dir / "model.safetensors", create_model(config))


def test_a_bundled_run_answers_like_the_run(boxes: PairSet, tmp_path: Path) -> None:
    config = RelativeConfig(
        model="siamese", short_side=48, train_size=48, test_size=48, fine_tune="/home/me/first"
    )
    write_run(tmp_path / "good", config)
    folder = bundle_run(tmp_path / "good", tmp_path / "weights")
    with safe_open(folder / "model.safetensors", framework="pt") as stream:
        kinds = {stream.get_tensor(key).dtype for key in stream.keys()}  # noqa: SIM118
    assert kinds == {torch.float16, torch.int64}
    assert "/home/me" not in (folder / "config.toml").read_text()
    assert read_run_table(folder) == {"confidence": 0.25, "name": "good"}
    bundled = default_model(folder)
    assert bundled is not None
    assert bundled.name == "siamese (good)"
    assert bundled.confidence == 0.25
    assert next(bundled.network.parameters()).dtype == torch.float32
    views = pair_views(boxes, boxes.pairs[0])
    ours, theirs = (m.relate(*views).pose() for m in (bundled, load_run(tmp_path / "good")))
    assert np.rad2deg((ours.rotation * theirs.rotation.inv()).magnitude()) < 0.5
    assert ours.translation @ theirs.translation > 0.999


def test_what_is_too_large_for_a_package_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path / "large", RelativeConfig(model="cnnA"))
    with pytest.raises(InputError, match="6 MB or less is wanted for the package"):
        bundle_run(tmp_path / "large", tmp_path / "weights")
    assert not (tmp_path / "weights").exists()
