"""A map that ends at its first pair is started again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pycolmap
import pytest

from sightline.reconstruction import stages


class Model:
    """As much of a COLMAP model as the stage needs."""

    def __init__(self, images: int) -> None:
        self.images = images

    def num_reg_images(self) -> int:
        return self.images

    def update_point_3d_errors(self) -> None:
        pass

    def write_binary(self, folder: str) -> None:
        (Path(folder) / "images").write_text(str(self.images))


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
def test_other_starts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    outcomes: list[list[int]],
    kept: list[int],
    starts: int,
) -> None:
    seeds = []

    def mapping(*_args: Any, options: Any, **_rest: Any) -> dict[int, Model]:
        seeds.append(options.random_seed)
        return {i: Model(n) for i, n in enumerate(outcomes[len(seeds) - 1])}

    monkeypatch.setattr(pycolmap, "incremental_mapping", mapping)
    request = {
        "database": "none", "images_dir": "none", "output": str(tmp_path / "models"),
        "num_images": 10, "refine_intrinsics": True, "bundle_growth": 1.5,
        "bundle_iterations": 20, "bundle_rounds": 1, "max_error_px": 2.0, "threads": 1, "seed": 5,
    }  # fmt: skip
    assert stages.build_map(request, lambda _text, _fraction: None) == {"models": kept}
    assert seeds == list(range(5, 5 + starts))
    folders = sorted(p.name for p in (tmp_path / "models").iterdir())
    assert folders == [str(i) for i in range(len(kept))]
