"""Any depth model by its name, and the network that comes with the package."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_depth_networks import TINY, make_depth_anything, make_depth_run

from sightline.errors import InputError, WeightsError
from sightline.learning.backbones import read_state
from sightline.learning.runs import CONFIG, WEIGHTS
from sightline.records.depth_labels import LABELS_TOML
from sightline.tasks.depth import checkpoint
from sightline.tasks.depth.checkpoint import (
    BUNDLED,
    bundle_run,
    default_model,
    need_default_model,
)
from sightline.tasks.depth.config import DepthConfig, read_config, write_config
from sightline.tasks.depth.models import load_model
from sightline.tasks.depth.predict import NetworkModel, load_run
from sightline.tasks.depth.pretrained import PretrainedModel


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return make_depth_run(tmp_path_factory.mktemp("runs") / "tiny", set="a world", seconds=300.0)


def test_a_folder_says_what_it_is(run_dir, tmp_path) -> None:
    run, hub = load_model(str(run_dir)), load_model(make_depth_anything(tmp_path / "hub"))
    assert isinstance(run, NetworkModel)
    assert isinstance(hub, PretrainedModel)
    assert (run.name, hub.name) == ("tiny", "hub")


@pytest.mark.parametrize("kind", ["run", "hub"])
def test_resolution_reaches_the_model(kind, run_dir, tmp_path) -> None:
    source = run_dir if kind == "run" else make_depth_anything(tmp_path / "hub")
    once, twice = load_model(source), load_model(source, resolution=2.0)
    small, large = once.size_of(640, 480), twice.size_of(640, 480)
    assert large[0] * large[1] == pytest.approx(4 * small[0] * small[1], rel=0.1)


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("no-such-run", InputError, "no-such-run does not exist"),
        ("a/b/c", InputError, "a/b/c does not exist"),
        ("src/no-such-run", InputError, "src/no-such-run does not exist"),  # a folder, no hub name
        ("{empty}", InputError, r"has neither config\.toml nor config\.json"),
        ("{other}", InputError, "a run of the task depth is wanted, objects came"),
        ("nobody/nothing", WeightsError, "hf download nobody/nothing"),
    ],
)
def test_what_is_no_model_is_refused(source, error, says, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").mkdir()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / CONFIG).write_text('task = "objects"\n')
    filled = source.format(empty=tmp_path / "empty", other=tmp_path / "other")
    with pytest.raises(error, match=says):
        load_model(filled)


def test_a_bundled_run_answers_as_the_run_and_names_no_folder(tmp_path) -> None:
    config = replace(TINY, stage="student", labels="/home/me/labels", unlabelled_ratio=0.0)
    run = make_depth_run(
        tmp_path / "student",
        config,
        set="a world",
        seconds=300.0,
        weights_from="/home/me/resnet18.pth",
        validation_abs_rel=0.12,
    )
    folder = bundle_run(run, tmp_path / "bundle", figures="Measured on the moon: 0.25.")
    source, bundled = load_run(run), load_run(folder)
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    expected, found = (m.predict([image])[0].values for m in (source, bundled))
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.01 * np.ptp(expected))
    assert bundled.name == "student"
    state = read_state(folder / WEIGHTS)
    assert {v.dtype for v in state.values() if v.is_floating_point()} == {torch.float16}
    said = (folder / CONFIG).read_text() + (folder / "README.md").read_text()
    assert "/home/me" not in said
    assert read_config(folder / CONFIG).labels == ""
    card = (folder / "README.md").read_text()
    for words in (
        "# student",
        "Trained on `a world`, 5 minutes",
        "resnet18.pth",
        "- validation abs rel: 0.12",
        "Measured on the moon: 0.25.",
        "up to scale and shift",
    ):
        assert words in card


def test_a_metric_card_names_its_bound(tmp_path) -> None:
    run = make_depth_run(tmp_path / "metric", replace(TINY, stage="metric", max_depth_m=12.0))
    card = (bundle_run(run, tmp_path / "bundle") / "README.md").read_text()
    assert "z-depth in metres, at most 12" in card
    assert "It never says more than 12 m." in card


def test_a_run_too_large_for_the_package_is_refused(run_dir, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoint, "_BUNDLE_LIMIT_BYTES", 2**10)
    with pytest.raises(InputError, match=r"takes 0\.\d MB in 16 bits; train a smaller one"):
        bundle_run(run_dir, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_weights_too_large_for_16_bits_are_refused(tmp_path) -> None:
    run = make_depth_run(tmp_path / "run")
    state = read_state(run / WEIGHTS)
    state["head.bias"] += 1e6
    from safetensors.torch import save_file

    save_file(state, run / WEIGHTS)
    with pytest.raises(WeightsError, match=r"head\.bias has numbers too large for 16 bits"):
        bundle_run(run, tmp_path / "bundle")


def test_the_default_small_network_fits_into_the_package(tmp_path) -> None:
    run = make_depth_run(tmp_path / "run", DepthConfig())
    assert (bundle_run(run, tmp_path / "bundle") / WEIGHTS).stat().st_size < 8 * 2**20


def test_a_package_without_a_network_says_so(tmp_path) -> None:
    assert default_model(tmp_path) is None
    with pytest.raises(WeightsError, match=r"the package has none in .*`sightline train depth`"):
        need_default_model(tmp_path)


@pytest.mark.skipif(not (BUNDLED / WEIGHTS).is_file(), reason="the package has no depth network")
def test_none_is_the_packages_network() -> None:
    model = load_model(None)
    assert model.digest == need_default_model().digest
    image = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    found = model.predict([image])[0]
    assert found.values.shape == (60, 80)
    assert np.isfinite(found.values).all()


def test_a_name_in_the_run_is_the_models(tmp_path) -> None:
    folder = make_depth_run(tmp_path / "folder")
    write_config(folder / CONFIG, TINY, run={"name": "depth-small"})
    assert load_model(folder).name == "depth-small"


@pytest.mark.parametrize("device", ["cuda:99", "foo"])
def test_a_device_that_is_not_there_is_one_line(device: str) -> None:
    with pytest.raises(InputError, match=rf"a device of this machine is wanted .*{device} came"):
        load_model("a/name", device=device)


def test_a_folder_of_labels_is_no_network(run_dir, tmp_path) -> None:
    (tmp_path / LABELS_TOML).touch()
    (tmp_path / CONFIG).write_bytes((run_dir / CONFIG).read_bytes())
    with pytest.raises(InputError, match=r"a network is wanted, .* holds labels that one made"):
        load_model(tmp_path)
