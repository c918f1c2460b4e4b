"""The gate's network, its training, and the one that comes with the package."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy.special import expit

from sightline.errors import InputError, WeightsError
from sightline.records.files import read_toml, write_toml
from sightline.tasks.utility.gate import load_gate
from sightline.tasks.utility.gate.measures import NAMES, measure
from sightline.tasks.utility.gate.network import BUNDLED, CONFIG, WEIGHTS, Gate
from sightline.tasks.utility.gate.train import REFUSED, Measured, measured, train_gate

from test_gate_measures import boards  # isort: skip


def toy(seed: int, count: int = 800) -> Measured:
    """Return measures whose label is known: of use where two of them agree in sign, mostly."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (count, len(NAMES)))
    likely = expit(6 * values[:, 0] * values[:, 1] + 1)
    scaled = values * np.linspace(0.1, 40, len(NAMES)) + 5  # units differ
    return Measured(scaled.astype(np.float32), rng.random(count) < likely)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    folder = tmp_path_factory.mktemp("gate") / "toy"
    return train_gate(toy(0), toy(1), folder, name="toy", data={"floors": 2})


def test_the_network_learns_what_no_single_measure_tells(trained: Gate) -> None:
    data = toy(2, 4000)
    score = trained.of_measures(data.measures)
    right = ((score >= 0.5) == data.useful).mean()
    usual = max(data.useful.mean(), 1 - data.useful.mean())
    assert right > usual + 0.15


def test_scores_are_calibrated_on_validation(trained: Gate) -> None:
    data = toy(1)
    score = trained.of_measures(data.measures)
    # The maximum of the likelihood has the mean of the labels; the pull is on the slope alone.
    assert score.mean() == pytest.approx(data.useful.mean(), abs=0.01)
    for low, high in ((0.0, 0.3), (0.3, 0.7), (0.7, 1.01)):
        within = (score >= low) & (score < high)
        assert score[within].mean() == pytest.approx(data.useful[within].mean(), abs=0.12)


def test_the_threshold_refuses_its_share_of_the_good(trained: Gate) -> None:
    data = toy(1)
    refused = trained.of_measures(data.measures)[data.useful] < trained.threshold
    assert refused.mean() == pytest.approx(REFUSED, abs=1.5 / data.useful.sum())


def test_scores_are_the_formula_of_the_arrays() -> None:
    count = len(NAMES)
    rng = np.random.default_rng(5)
    arrays = {
        "mean": rng.normal(size=count),
        "spread": rng.uniform(0.5, 2, count),
        "hidden": rng.normal(size=(count, 3)),
        "hidden_bias": rng.normal(size=3),
        "out": rng.normal(size=3),
        "out_bias": rng.normal(size=1),
    }
    gate = Gate("formula", "0", 0.5, {k: v.astype(np.float32) for k, v in arrays.items()})
    x = rng.normal(size=(4, count)).astype(np.float32)
    for row, score in zip(x, gate.of_measures(x), strict=True):
        logit = arrays["out_bias"][0]
        for unit in range(3):
            inside = arrays["hidden_bias"][unit]
            for k in range(count):
                standard = (row[k] - arrays["mean"][k]) / arrays["spread"][k]
                inside += standard * arrays["hidden"][k, unit]
            logit += np.tanh(inside) * arrays["out"][unit]
        assert score == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-4)


def test_what_is_written_is_what_was_trained(trained: Gate, tmp_path: Path) -> None:
    again = train_gate(toy(0), toy(1), tmp_path / "again", name="toy", data={"floors": 2})
    x = toy(3, 50).measures
    assert (again.of_measures(x) == trained.of_measures(x)).all()
    assert again.digest == trained.digest
    config = read_toml(tmp_path / "again" / CONFIG)
    assert (config["name"], config["data"]) == ("toy", {"floors": 2})
    assert config["threshold"] == trained.threshold


def test_one_kind_of_photo_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="localised and photos that are not"):
        measured([])
    few = Measured(toy(0).measures[:20], toy(0).useful[:20])
    with pytest.raises(InputError, match="50 photos to calibrate on"):
        train_gate(toy(0), few, tmp_path / "few")
    assert not (tmp_path / "few").exists()


def test_a_folder_without_a_gate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.toml is wanted"):
        load_gate(tmp_path)
    config, arrays = read_toml(BUNDLED / CONFIG), load_file(BUNDLED / WEIGHTS)
    write_toml(tmp_path / CONFIG, config)
    (tmp_path / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="holds no gate"):
        load_gate(tmp_path)
    save_file(arrays, tmp_path / WEIGHTS)
    assert load_gate(tmp_path).digest == load_gate().digest
    write_toml(tmp_path / CONFIG, {**config, "measures": ["another"]})
    save_file({**arrays, "out_bias": arrays["out_bias"] + 1}, tmp_path / WEIGHTS)
    with pytest.raises(WeightsError, match="another came"):
        load_gate(tmp_path)


def test_the_package_has_a_small_gate() -> None:
    assert sum(f.stat().st_size for f in BUNDLED.iterdir()) < 3 * 2**20
    gate = load_gate()
    assert 0.05 < gate.threshold < 0.95
    assert gate is load_gate()  # read once


def test_the_packages_gate_knows_good_photos_from_ruined_ones() -> None:
    from sightline.media.distortions import distort, parse_distortion

    gate, image = load_gate(), boards()
    ruined = ("blur:10", "jpeg:1", "noise:80", "lowlight:0.005")
    photos = [image, *(distort(image, parse_distortion(d), 0) for d in ruined)]
    scores = gate.utility(photos)
    assert scores.dtype == np.float32
    assert scores[0] > 0.8
    assert (scores[1:] < 0.5).all(), scores
    assert gate.judge(photos[1]).score == pytest.approx(scores[1], abs=1e-6)
    assert gate.judge(photos[1]).reason == "too blurred"
    with ThreadPoolExecutor(4) as pool:
        assert [v.score for v in pool.map(gate.judge, photos)] == pytest.approx(
            scores.tolist(), abs=1e-6
        )


@pytest.mark.parametrize("shape", [(1, 1), (1, 700)])
def test_nothing_to_see_is_of_no_use(shape: tuple[int, int]) -> None:
    photo = np.full((*shape, 3), 128, np.uint8)
    assert np.isfinite(measure(photo)).all()
    assert load_gate().judge(photo).score < load_gate().threshold
