"""A map is started again where it ends at its first pair, or does not explain what was matched."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pycolmap
import pytest

from sightline.reconstruction import mapping
from sightline.reconstruction.agreement import Agreement

REQUEST = {
    "database": "none", "images_dir": "none", "num_images": 10, "mapper": "auto",
    "refine_intrinsics": True, "bundle_growth": 1.5, "bundle_iterations": 20, "bundle_rounds": 1,
    "max_error_px": 2.0, "threads": 1, "seed": 5,
}  # fmt: skip


class Model:
    """As much of a COLMAP model as the stage needs; its file says what matches would."""

    def __init__(self, images: int, explained: float | None = None, lowest: float = 1.0) -> None:
        self.images = images
        self.explained = images / 10 if explained is None else explained
        self.frames = {"f1": lowest}

    def num_reg_images(self) -> int:
        return self.images

    def update_point_3d_errors(self) -> None:
        pass

    def write_binary(self, folder: str) -> None:
        told = {"images": self.images, "explained": self.explained, "frames": self.frames}
        (Path(folder) / "model.json").write_text(json.dumps(told))


def read_model(folder: Path) -> Any:
    """Return what a fake model's file says."""
    told = json.loads((folder / "model.json").read_text())
    agreement = Agreement(told["explained"], told["frames"])
    return SimpleNamespace(frames=range(told["images"]), agreement=agreement)


class Database:
    """A database that knows images by names such as f7."""

    def __init__(self, _path: str) -> None:
        pass

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read_image_with_name(self, name: str) -> Any:
        return SimpleNamespace(image_id=int(name.removeprefix("f")))


@pytest.fixture
def seeds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the seeds of the starts; models carry their own agreement."""
    monkeypatch.setattr(mapping, "read_model", read_model)
    monkeypatch.setattr(mapping, "measure_agreement", lambda _path, model, _px: model.agreement)
    monkeypatch.setattr(mapping, "open_database", Database)
    return []


def mapped(
    outcomes: list[list[Model]], seeds: list[int], monkeypatch: pytest.MonkeyPatch, output: Path,
    **changes: Any,
) -> dict[str, Any]:  # fmt: skip
    """Return what the stage says of a mapper that makes these models, start by start."""

    def run(*_args: Any, options: Any, **_rest: Any) -> dict[int, Model]:
        seeds.append(options.random_seed)
        return dict(enumerate(outcomes[len(seeds) - 1]))

    monkeypatch.setattr(pycolmap, "incremental_mapping", run)
    output.mkdir(exist_ok=True)
    starts = str(output.with_name("starts"))
    request = REQUEST | {"output": str(output), "starts_dir": starts} | changes
    return mapping.build_map(request, lambda _text, _fraction: None)


@pytest.mark.parametrize("mapper", ["auto", "incremental"])
@pytest.mark.parametrize(
    ("outcomes", "kept", "starts"),
    [
        ([[10]], [10], 1),
        ([[2, 4]], [4, 2], 1),  # a third of the frames is a map, however many models there are
        ([[2], [], [2, 9]], [9, 2], 3),
        ([[3], [2], [], [2]], [3], 4),  # never better: the best of them, and an end
        ([[], [], [], []], [], 4),
    ],
)
def test_a_map_of_few_frames_is_tried_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seeds: list[int],
    mapper: str,
    outcomes: list[list[int]],
    kept: list[int],
    starts: int,
) -> None:
    made = [[Model(n) for n in models] for models in outcomes]
    answer = mapped(made, seeds, monkeypatch, tmp_path / "models", mapper=mapper)
    assert answer["models"] == kept
    assert [a["registered"] for a in answer["attempts"]] == [max(m, default=0) for m in outcomes][
        :starts
    ]
    assert seeds == list(range(5, 5 + starts))
    folders = sorted(p.name for p in (tmp_path / "models").iterdir())
    assert folders == [str(i) for i in range(len(kept))]


@pytest.mark.parametrize(
    ("explained", "lowest", "kept", "starts"),
    [
        ((0.98,), (0.9,), 0, 1),
        ((0.95, 0.98), (0.58, 0.9), 1, 2),  # bent, then straight
        ((0.95, 0.94, 0.93, 0.96), (0.7, 0.6, 0.6, 0.7), 3, 4),  # the best of all bent ones
        ((0.96, 0.95, 0.94, 0.93), (0.7, 0.6, 0.6, 0.5), 0, 4),
    ],
)
def test_a_bent_map_is_tried_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seeds: list[int],
    explained: tuple[float, ...],
    lowest: tuple[float, ...],
    kept: int,
    starts: int,
) -> None:
    # each start registers another number of frames, to tell them apart
    made = [[Model(7 + i, e, x)] for i, (e, x) in enumerate(zip(explained, lowest, strict=True))]
    answer = mapped(made, seeds, monkeypatch, tmp_path / "models")
    assert answer["models"] == [7 + kept]
    assert len(seeds) == starts
    assert json.loads(json.dumps(answer["attempts"]))[kept] == {
        "mapper": "incremental", "seed": 5 + kept, "first": "f1" if kept == 1 else "",
        "registered": 7 + kept, "explained": explained[kept],
    }  # fmt: skip


def test_the_next_start_begins_where_the_map_is_doubted_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: list[int]
) -> None:
    first = []
    doubts = [{"f3": 0.6, "f4": 0.7}, {"f3": 0.5, "f4": 0.7}, {"f3": 0.79}, {}]

    def run(*_args: Any, options: Any, **_rest: Any) -> dict[int, Model]:
        first.append(options.init_image_id1)
        model = Model(10, 0.9 + 0.01 * len(first))
        model.frames = doubts[len(first) - 1]
        return {0: model}

    monkeypatch.setattr(pycolmap, "incremental_mapping", run)
    folders = {"output": str(tmp_path / "models"), "starts_dir": str(tmp_path / "starts")}
    request = REQUEST | folders
    answer = mapping.build_map(request, lambda _text, _fraction: None)
    # each frame once; where none is left, the mapper chooses
    assert [a["first"] for a in answer["attempts"]] == ["", "f3", "f4", ""]
    assert first[1:3] == [3, 4]
    assert first[0] == first[3] == pycolmap.IncrementalPipelineOptions().init_image_id1
    assert answer["attempts"][-1]["explained"] == pytest.approx(0.94)


def test_a_killed_call_goes_on_after_its_finished_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: list[int]
) -> None:
    def killed(*_args: Any, options: Any, **_rest: Any) -> dict[int, Model]:
        seeds.append(options.random_seed)
        if len(seeds) == 2:
            raise KeyboardInterrupt
        return {0: Model(9, 0.9, 0.1)}

    monkeypatch.setattr(pycolmap, "incremental_mapping", killed)
    folders = {"output": str(tmp_path / "models"), "starts_dir": str(tmp_path / "starts")}
    with pytest.raises(KeyboardInterrupt):
        mapping.build_map(REQUEST | folders, lambda _text, _fraction: None)
    assert [p.name for p in (tmp_path / "starts").iterdir()] == ["0"]
    made = [[], [], [Model(10, 0.99)]]
    answer = mapped(made, seeds, monkeypatch, tmp_path / "models")
    assert seeds == [5, 6, 6]  # the second again, not the first
    assert [a["registered"] for a in answer["attempts"]] == [9, 10]
    assert answer["models"] == [10]


def test_one_start_is_enough_where_the_mapper_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seeds: list[int]
) -> None:
    made = [[Model(9, 0.9, 0.1)]]
    answer = mapped(made, seeds, monkeypatch, tmp_path / "models", mapper="incremental")
    assert answer["models"] == [9]
    assert seeds == [5]
