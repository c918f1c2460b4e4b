"""``sightline import``: flags of some data sets, and validation out of the training part."""

import json
from pathlib import Path

import pytest
from PIL import Image

from sightline.cli import main as cli
from sightline.records import Place


def test_validation_is_drawn_from_the_training_part_as_a_block(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = tmp_path / "Church"
    lines = {"train": [], "test": []}
    for i in range(50):
        image = f"seq{i // 10}/{i:03d}.png"
        (scene / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(scene / image)
        lines["test" if 20 <= i < 30 else "train"].append(f"{image} {i} 0 0 1 0 0 0")
    for part, rows in lines.items():
        (scene / f"dataset_{part}.txt").write_text("\n".join(rows))
    root = tmp_path / "place"
    assert cli.main(["import", "cambridge", str(scene), str(root), "--link"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "34 train, 4 validation, 10 test"
    parts = {f.image[5:8]: f.split for f in Place.open(root).frames()}
    assert [name for name, part in parts.items() if part == "validation"] == [
        "046", "047", "048", "049",
    ]  # fmt: skip
    assert {part for name, part in parts.items() if 20 <= int(name) < 30} == {"test"}
    assert len((root / "validation.csv").read_text().splitlines()) == 5
    arguments = ["import", "cambridge", str(scene), str(root), "--link", "--validation", "0"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.splitlines()[1] == "40 train, 0 validation, 10 test"


def test_importing_again_undoes_a_split_of_the_users_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model without lists: the frames lose their parts again, and so must the tables."""
    source, root = tmp_path / "set", tmp_path / "place"
    source.mkdir()
    for i in range(30):
        Image.new("RGB", (8, 6)).save(source / f"{i:02d}.png")
    frames = [
        {"file": f"{i:02d}.png", "qwxyz_c2w": [1, 0, 0, 0], "center_xyz": [i, 0, 0]}
        for i in range(30)
    ]
    (source / "poses.json").write_text(json.dumps({"frames": frames, "unit": "m"}))
    arguments = ["import", "poses_json", str(source), str(root)]
    assert cli.main(arguments) == 0
    assert cli.main(["split", str(root), "block"]) == 0
    assert (root / "train.csv").is_file()
    assert cli.main(arguments) == 0
    place = Place.open(root)
    assert {frame.split for frame in place.frames()} == {""}
    assert not list(root.glob("t*.csv"))
    assert not (root / "validation.csv").exists()
    assert "split" not in place.content
    assert "0 train, 0 validation, 0 test" in capsys.readouterr().out.splitlines()[-2]


def test_flags_that_a_dataset_does_not_take_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for flags, message in (
        (["--metres-per-unit", "2"], "seven_scenes has no --metres-per-unit; leave it out"),
        (["--test-list", "a.txt"], "seven_scenes has no --test-list; leave it out"),
        (["--validation", "1"], "a share of 0 up to 1 is wanted, --validation 1.0 came"),
    ):
        assert cli.main(["import", "seven_scenes", str(tmp_path), str(tmp_path / "p"), *flags]) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "p").exists()
