"""What can be asked of each model, and what is refused with a way out."""

from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.records import Place
from sightline.tasks.absolute.config import (
    AbsoluteConfig,
    read_config,
    scratch_config,
    write_config,
)
from sightline.tasks.absolute.task import train

SCENE = {"model": "scene_coordinates"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({**SCENE, "backbone": "resnet18"}, "--backbone came; leave that out"),
        ({**SCENE, "weights": "none"}, "--weights came"),
        ({**SCENE, "freeze": True, "head": "mlp"}, "--freeze, --head came"),
        ({**SCENE, "rotation": "6d"}, "--rotation came"),
        (
            {**SCENE, "loss": "l2"},
            "--loss came; leave that out, or train --model posenet or mapnet",
        ),
        ({**SCENE, "alpha": 2.0}, "--alpha came"),
        ({**SCENE, "precision": "bfloat16"}, "--precision came"),
        ({**SCENE, "step": 4}, "--step came; leave that out, or train --model mapnet"),
        ({"model": "posenet", "skip": 8}, "--model posenet listens to are wanted, --skip came"),
        ({"model": "posenet", "learn_weights": False}, "--learn-weights came"),
        ({"model": "posenet", "min_inliers": 9}, "--min-inliers .* --model scene_coordinates"),
        ({"regions": 9, "max_error": 0.1}, "--regions, --max-error came"),
        (
            {"model": "posenet", "regions": 9, "beta": 1.0},
            "--beta, --regions came; leave that out$",
        ),
    ],
)
def test_a_setting_that_would_change_nothing_is_refused(
    place: Place, settings: dict[str, object], said: str
) -> None:
    config = AbsoluteConfig(**settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        train(place, config, place.runs_dir / "r")
    assert not (place.runs_dir / "r").exists()


def test_a_run_from_before_the_rule_is_read(tmp_path: Path) -> None:
    config = AbsoluteConfig(model="posenet", skip=8)
    write_config(tmp_path / "config.toml", config)
    assert read_config(tmp_path / "config.toml") == config


@pytest.mark.parametrize("model", ["posenet", "mapnet", "scene_coordinates"])
def test_settings_of_our_own_say_nothing_that_is_ignored(model: str) -> None:
    scratch_config(model, 10.0).refuse_ignored()  # type: ignore[arg-type]


def test_more_inliers_than_cells_are_refused() -> None:
    assert AbsoluteConfig(**SCENE, width=48, height=64, min_inliers=48).min_inliers == 48
    with pytest.raises(InputError, match=r"at most 48 is wanted \(48x64 pixels .* 49 came; lower"):
        AbsoluteConfig(**SCENE, width=48, height=64, min_inliers=49)
    with pytest.raises(InputError, match="at most 8 is wanted"):
        AbsoluteConfig(**SCENE, width=16, height=32)  # the usual 20 are more than there are
    assert AbsoluteConfig(width=16, height=32).min_inliers == 20  # MapNet has no cells
