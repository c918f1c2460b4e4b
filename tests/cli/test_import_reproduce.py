"""From a public dataset's folder to a paper's table, as a user types it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.cli import main as cli
from sightline.records import Place


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Nine frames of one 7-Scenes sequence to train on, six of another to test on."""
    rng = np.random.default_rng(0)
    for name, count, y in (("seq-01", 9, 0.0), ("seq-02", 6, 0.5)):
        folder = tmp_path / "scene" / name
        folder.mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"frame-{i:06d}.color.png")
            world_from_cam = np.eye(4)
            world_from_cam[:3, 3] = [0.1 * i, y, 0.0]
            np.savetxt(folder / f"frame-{i:06d}.pose.txt", world_from_cam)
    (tmp_path / "scene" / "TrainSplit.txt").write_text("sequence1\n")
    (tmp_path / "scene" / "TestSplit.txt").write_text("sequence2\n")
    return tmp_path / "scene"


@pytest.fixture
def place(scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    root = tmp_path / "place"
    assert cli.main(["import", "seven_scenes", str(scene), str(root)]) == 0
    capsys.readouterr()
    return root


def test_import_makes_a_place_and_says_what_comes_next(
    scene: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "place"
    for _ in range(2):  # the same again is no error
        assert cli.main(["import", "seven_scenes", str(scene), str(root)]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "15 frames, 15 with poses in m",
            "9 train, 0 validation, 6 test",
            "note: 9 training frames are too few to hold some out for validation",
            f"next: sightline train absolute {root}",
        ]
    frames = Place.open(root).frames()
    assert [f.split for f in frames] == ["train"] * 9 + ["test"] * 6
    assert not any(path.is_symlink() for path in Place.open(root).images_dir.iterdir())
    np.testing.assert_allclose(frames[-1].world_from_cam.translation, [0.5, 0.5, 0], atol=1e-9)


def test_import_can_link(scene: Path, tmp_path: Path) -> None:
    assert cli.main(["import", "seven_scenes", str(scene), str(tmp_path / "p"), "--link"]) == 0
    images = list((tmp_path / "p" / "images").iterdir())
    assert len(images) == 15
    assert all(path.is_symlink() for path in images)


def test_import_without_parts_names_the_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "fr1"
    (folder / "rgb").mkdir(parents=True)
    for i in range(2):
        Image.new("RGB", (8, 6)).save(folder / "rgb" / f"{i}.png")
    (folder / "rgb.txt").write_text("1.0 rgb/0.png\n2.0 rgb/1.png\n")
    (folder / "groundtruth.txt").write_text("1.0 0 0 0 0 0 0 1\n1.01 0 0 0 0 0 0 1\n")
    assert cli.main(["import", "tum_rgbd", str(folder), str(tmp_path / "place")]) == 0
    out = capsys.readouterr().out
    assert "2 frames, 1 with poses in m" in out
    assert f"next: sightline split {tmp_path / 'place'} block" in out


def test_import_into_somebodys_folder_is_refused(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["import", "seven_scenes", str(scene), str(scene)]) == 2
    assert "holds other things" in capsys.readouterr().err


def test_reproduce_prints_the_table_beside_the_papers(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    out = tmp_path / "out"
    flags = ["--weights", "none", "--backbones", "resnet18", "--size", "32", "--epochs", "1"]
    try:
        code = cli.main(["reproduce", "000", str(place), "--table", "2", "--out", str(out), *flags])
    finally:
        torch.set_num_threads(threads)
    assert code == 0
    printed = capsys.readouterr().out
    (row,) = [line.split() for line in printed.splitlines() if line.startswith("ResNet-18")]
    assert [row[i] for i in (2, 4)] == ["0.635", "0.288"]
    assert row[5:] == ["11,180,103", "11,180,103", "3,591", "3,591", "1"]
    # The nearest training frame is 0.5 m aside, along one of three coordinates.
    (base,) = [line for line in printed.splitlines() if line.startswith("nearest training frame")]
    assert base.split()[3:] == ["0.167", "0.0000"]
    assert f"`sightline split {place} mod3` makes that one" in printed
    assert (out / "results.md").is_file()


def test_reproduce_without_weights_at_hand_names_the_flag(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(place / "resnet18.pth")
    flags = ["--table", "2", "--backbones", "resnet18", "--weights", missing]
    assert cli.main(["reproduce", "000", str(place), *flags]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("[")]
    assert len(errors) == 1
    assert "does not exist; check `--weights`" in errors[0]
