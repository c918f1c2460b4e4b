"""What a ``.toml`` beside a network may say, and what it may not."""

from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.tasks.utility.machines.adapter import Adapter, find_adapter, read_adapter
from sightline.tasks.utility.machines.reading import Reading


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("background\n great grey owl \nkite, fish hawk\n\n")
    (tmp_path / "net.toml").write_text(
        'size = [320, 240]\nresize = "letterbox"\ncolour = "bgr"\nlayout = "nhwc"\nscale = 1\n'
        'mean = [104, 117, 123.5]\nstd = [1, 2, 3]\nlabels = "names.txt"\noutputs = "logits"\n'
        'resample = "bicubic"\nobjectness = false\nleast_score = 0\n'
    )
    said = find_adapter(tmp_path / "net.onnx")
    assert said.labels == ("background", "great grey owl", "kite, fish hawk")
    assert (said.outputs, said.objectness, said.least_score) == ("logits", False, 0.0)
    assert said.reading(Reading()) == Reading(
        320, 240, "letterbox", 0, "bicubic", "bgr", "nhwc", 1.0, (104, 117, 123.5), (1, 2, 3)
    )
    assert find_adapter(tmp_path / "other.onnx") == Adapter()
    assert find_adapter(tmp_path / "other.onnx", tmp_path / "net.toml") == said
    with pytest.raises(InputError, match="no such file"):
        find_adapter(tmp_path / "net.onnx", tmp_path / "gone.toml")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("sise = 3", r"no key 'sise'; there are size, resize,"),
        ("size = 0", "size: a whole number of pixels, or .* 0 came"),
        ("size = [1, 2, 3]", "size: a whole number"),
        ('resize = "crop"', "resize: one of stretch, center, letterbox is wanted, 'crop' came"),
        ("resize = [1]", "resize: one of stretch"),
        ("mean = [1, 2]", "mean: three numbers is wanted"),
        ("std = [1, 0, 1]", "std: three numbers above 0"),
        ("scale = true", "scale: a number"),
        ("scale = nan", "scale: a number"),
        ("background = -1", "background: a whole number from 0"),
        ("least_score = 40", "least_score: a number from 0 to 1 is wanted, 40 came"),
        ("objectness = 1", "objectness: true or false"),
        ("labels = []", "labels: a file with a name a line"),
        ('labels = "gone.txt"', r"labels: .*gone\.txt cannot be read"),
        ("boxes = 3", "boxes: a text"),
    ],
)
def test_what_cannot_be_said(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "net.toml").write_text(line)
    with pytest.raises(InputError, match=message) as caught:
        read_adapter(tmp_path / "net.toml")
    assert "net.toml" in str(caught.value)
    assert "\n" not in str(caught.value)
