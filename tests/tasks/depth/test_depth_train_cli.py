"""`sightline train depth`: names of runs, and a stage that leaves labels in place of a model."""

from pathlib import Path

import pytest
from toy_depth import make_toy_depth

from sightline.cli.main import main


def test_stages_name_their_runs_and_labels_are_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_toy_depth(tmp_path / "set", train=6, validation=2, unlabelled=3)
    train = ["train", "depth", str(data.root), "--width", "0.125", "--epochs", "1"]
    train += ["--frame-width", "48", "--frame-height", "32", "--precision", "float32"]
    assert main(train) == 0
    teacher = data.runs_dir / "teacher-resnet18"
    assert (teacher / "model.safetensors").is_file()
    assert "abs_rel" in capsys.readouterr().out
    label = ["train", "depth", str(data.root), "--stage", "label", "--teacher", str(teacher)]
    assert main(label) == 0
    labels = data.runs_dir / "labels"
    assert len(list(labels.glob("shard-*/*.png"))) == 3
    out = capsys.readouterr().out
    assert f"made: {labels}" in out
    assert "abs_rel" not in out
    assert main([*train, "--stage", "student", "--labels", str(labels)]) == 0
    assert (data.runs_dir / "student-resnet18" / "model.safetensors").is_file()
