"""ONNX files of depth networks: what they compute, what they say of themselves, what is refused."""

import shutil
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_depth_networks import make_depth_anything, make_depth_run

from sightline.cli.main import main
from sightline.errors import InputError, WeightsError
from sightline.tasks.depth import onnx_export
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.model import create_model
from sightline.tasks.depth.models import load_model
from sightline.tasks.depth.onnx_export import export_onnx
from sightline.tasks.depth.predict import load_run, ready
from sightline.tasks.depth.pretrained import load_pretrained
from sightline.tasks.depth.sizes import resized


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return make_depth_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture(scope="module")
def fixed(run_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "fixed.onnx"
    return export_onnx(load_run(run_dir), path)


@pytest.fixture(scope="module")
def dynamic(run_dir, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "dynamic.onnx"
    return export_onnx(load_run(run_dir, resolution=2.0), path, dynamic=True)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return resized(coarse, (width, height), "bicubic")


def agree(first: np.ndarray, second: np.ndarray) -> None:
    np.testing.assert_allclose(first, second, rtol=1e-3, atol=1e-4 * np.ptp(second))


@pytest.mark.parametrize("shape", [(48, 64), (96, 128), (480, 640), (3, 4)])
def test_a_file_of_a_fixed_size_answers_as_torch_does(run_dir, fixed, shape) -> None:
    image = picture(*shape)
    expected = load_run(run_dir).predict([image])[0]
    found = load_model(fixed.path).predict([image])[0]
    agree(found.values, expected.values)
    assert (found.quantity, found.unit) == (expected.quantity, expected.unit)


@pytest.mark.parametrize("shape", [(48, 64), (64, 48), (100, 333), (1, 1), (2, 500)])
def test_a_dynamic_file_answers_as_torch_does_at_any_size(run_dir, dynamic, shape) -> None:
    image = picture(*shape)
    agree(
        load_model(dynamic.path).predict([image])[0].values,
        load_run(run_dir, resolution=2.0).predict([image])[0].values,
    )


def test_the_resolution_is_in_the_file(dynamic) -> None:
    assert (dynamic.contract.width, dynamic.contract.height) == (128, 96)


def test_another_aspect_is_seen_whole_with_its_edges_repeated(run_dir, fixed) -> None:
    tall = picture(96, 48)
    found = load_model(fixed.path).predict([tall])[0].values
    assert found.shape == (96, 48)
    # by hand: 48 x 24 pixels in the middle of the frame of 48 x 64
    frame = np.pad(resized(tall, (24, 48)), ((0, 0), (20, 20), (0, 0)), mode="edge")
    inner = load_run(run_dir).predict([frame])[0].values[:, 20:44]
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(inner)[None, None], size=(96, 48), mode="bilinear"
    )[0, 0]
    agree(found, expected.numpy())


def test_the_file_says_what_it_is(fixed, run_dir) -> None:
    model = load_run(run_dir)
    loaded = load_model(fixed.path)
    assert loaded.contract == fixed.contract
    c = loaded.contract
    assert (c.name, c.digest) == ("tiny", model.digest)
    assert (c.quantity, c.unit, c.width, c.height) == ("disparity", "relative", 64, 48)
    assert (c.mean, c.std) == (model.contract.mean, model.contract.std)
    props = {p.key: p.value for p in onnx.load(fixed.path).metadata_props}
    assert props["sightline.quantity"] == "disparity"
    assert props["sightline.unit"] == "relative"


def test_any_program_can_run_it_without_us(fixed, run_dir) -> None:
    """Pixels from 0 to 255 go in, nothing else is to be known: the normalisation is inside."""
    image = picture(48, 64)
    session = onnxruntime.InferenceSession(fixed.path, providers=["CPUExecutionProvider"])
    pixels = image.transpose(2, 0, 1)[None].astype(np.float32)
    found = session.run(None, {"image": pixels})[0]
    assert found.shape == (1, 48, 64)
    agree(found[0], load_run(run_dir).predict([image])[0].values)


def test_the_difference_is_measured(fixed, dynamic) -> None:
    assert 0 <= fixed.difference < 1e-3
    assert 0 <= dynamic.difference < 1e-3
    assert f"differs from torch by at most {fixed.difference:.2g}" in fixed.line()


def test_a_file_that_computes_something_else_is_not_kept(
    run_dir, fixed, tmp_path, monkeypatch
) -> None:
    model = load_run(run_dir)
    torch.nn.init.constant_(model.network.head.bias, 3.0)
    monkeypatch.setattr(
        onnx_export, "_write", lambda _graph, _contract, path: shutil.copy(fixed.path, path)
    )
    with pytest.raises(WeightsError, match="differs from torch by"):
        export_onnx(model, tmp_path / "wrong.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metric", [False, True])
def test_depth_anything_is_exported(tmp_path, metric) -> None:
    source = load_pretrained(make_depth_anything(tmp_path / "hub", metric=metric))
    export = export_onnx(source, tmp_path / "anything.onnx", width=98, height=70)
    model = load_model(export.path)
    assert (model.quantity, model.unit) == (source.quantity, source.unit)
    image = picture(70, 98)
    # enlarged by nothing: both are what the network itself says
    agree(model.predict([image])[0].values, source.predict([image])[0].values)


def test_a_metric_dpt_run_is_exported(tmp_path) -> None:
    config = DepthConfig(
        architecture="dpt", encoder="tiny", stage="metric", frame_width=70, frame_height=42
    )
    torch.manual_seed(0)
    source = ready(create_model(config), config, "dpt")
    model = load_model(export_onnx(source, tmp_path / "dpt.onnx").path)
    assert model.unit == "m"
    image = picture(42, 70)
    agree(model.predict([image])[0].values, source.predict([image])[0].values)
    with pytest.raises(InputError, match="leave out --dynamic"):
        export_onnx(source, tmp_path / "any.onnx", dynamic=True)


def test_the_digest_is_the_files(fixed, dynamic) -> None:
    assert load_model(fixed.path).digest == load_model(str(fixed.path)).digest
    assert load_model(fixed.path).digest != load_model(dynamic.path).digest


def test_sizes_and_names_that_do_not_fit_are_refused(run_dir, fixed, tmp_path) -> None:
    model = load_run(run_dir)
    with pytest.raises(InputError, match=r"in multiples of 16 are wanted for tiny, 50 x 48 came"):
        export_onnx(model, tmp_path / "odd.onnx", width=50)
    with pytest.raises(InputError, match=r"a new file NAME\.onnx is wanted"):
        export_onnx(model, tmp_path / "model.pt")
    with pytest.raises(InputError, match="is there already"):
        export_onnx(model, fixed.path)
    with pytest.raises(InputError, match="exported at; export another one for the resolution 2"):
        load_model(fixed.path, resolution=2.0)


def test_files_of_others_are_refused(tmp_path) -> None:
    with pytest.raises(WeightsError, match="does not exist"):
        load_model(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(WeightsError, match="cannot be read as an ONNX file"):
        load_model(tmp_path / "text.onnx")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([node], "other", [value], [out])
    opsets = [onnx.helper.make_opsetid("", 18)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10), tmp_path / "other.onnx"
    )
    with pytest.raises(WeightsError, match=r"other\.onnx does not say what it predicts"):
        load_model(tmp_path / "other.onnx")


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named(package, run_dir, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{package} is wanted.*pip install sightline\[onnx\]"):
        export_onnx(load_run(run_dir), tmp_path / "x.onnx")
    assert list(tmp_path.iterdir()) == []


def test_the_command_exports_and_its_file_answers(run_dir, tmp_path, capsys) -> None:
    destination = tmp_path / "depth.onnx"
    flags = ["--weights", str(run_dir), "--width", "80", "--height", "64"]
    assert main(["export", "depth", str(destination), *flags]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"written: {destination} (disparity, 80 x 64 pixels")
    assert (load_model(destination).contract.width, load_model(destination).name) == (80, "tiny")
    assert main(["export", "depth", str(destination), *flags]) == 2
    assert "is there already" in capsys.readouterr().err
    again = tmp_path / "again.onnx"
    assert main(["export", "depth", str(again), "--weights", str(destination)]) == 2
    assert "an ONNX file already" in capsys.readouterr().err


def test_the_command_names_the_tasks_that_export(tmp_path, capsys) -> None:
    assert main(["export", "objects", str(tmp_path / "x.onnx")]) == 2
    assert "a task of depth is wanted" in capsys.readouterr().err
