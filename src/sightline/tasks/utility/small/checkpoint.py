"""The small machines that come with the package: written from runs, each with its card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sightline.learning.bundle import training_time, without_folders, write_bundle
from sightline.learning.runs import CONFIG
from sightline.tasks.utility.small.bundled import BUNDLED
from sightline.tasks.utility.small.config import TASK, SmallConfig, read_config
from sightline.tasks.utility.small.machine import ClassifierMachine, DetectorMachine, load_small

#: Five machines may take 6 MB in all.
_LIMIT_BYTES = 2 * 1024 * 1024

_WORDS = {
    "accuracy": "top-1 accuracy",
    "loss": "cross-entropy",
    "sure": "share with the true class above 0.9",
    "ap50": "mean average precision at IoU 0.5",
    "ap": "mean average precision, IoU 0.5 to 0.95",
    "useful": "share with an object found at score and IoU 0.5 or more",
}

_LIMITS = """\
- It was trained on pristine renderings: mirrored, moved, sized and recoloured a little, never
  compressed, blurred, darkened or made noisy. That it fails on such pictures is what it is for.
- It knows these categories and no others, one object a picture. On photos it means nothing.
"""


def bundle_small(
    run_dir: Path,
    name: str,
    folder: Path = BUNDLED,
    figures: Mapping[str, float] | None = None,
    origin: str = "",
) -> Path:
    """Write a run's machine into the package, in 16 bits, with its card, and return its folder.

    Args:
        run_dir: A finished run of :func:`.train.train_small`.
        name: Of the machine in the package: ``objects-classifier-a`` ...
        folder: Which holds a folder for each machine.
        figures: Scores on images that it was not trained on (:func:`.scores.score_small`).
        origin: Of the weights it started from, in words; the run's where empty.

    Raises:
        InputError: It takes more room than a machine should (2 MB).
        WeightsError: The run is not finished, or its weights do not fit into 16 bits.
    """
    machine = load_small(run_dir)
    config = read_config(run_dir / CONFIG)
    about: dict[str, Any] = {"test": {k: round(v, 4) for k, v in (figures or {}).items()}}
    return write_bundle(
        run_dir,
        folder / name,
        machine.network,
        TASK,
        _public(config, origin),
        lambda table: _card(name, machine, config, table),
        limit_bytes=_LIMIT_BYTES,
        about=about | ({"weights_from": origin} if origin else {}),
    )


def _card(
    name: str,
    machine: ClassifierMachine | DetectorMachine,
    config: SmallConfig,
    table: Mapping[str, Any],
) -> str:
    what = "a class" if machine.kind == "classification" else "boxes with classes"
    made = machine.architecture
    parameters = sum(p.numel() for p in machine.network.parameters())
    lines = [
        f"# {name}: {what} of a rendered object",
        "",
        f"`{made.name}`: {made.summary}; {parameters / 1e6:.2f} million parameters. "
        f"Weights before training: {table.get('weights_from', 'unknown')}.",
        "",
        f"Input: an RGB picture, stretched to {config.frame_px} x {config.frame_px} pixels.",
        "",
        f"Categories: {', '.join(machine.categories)}.",
        "",
        "## Data",
        "",
        f"Trained on `{table.get('set', 'unknown')}` ({table.get('train_images', 0):,} images, "
        f"{table.get('validation_images', 0):,} to choose the best weights), "
        f"{table.get('epochs', 0)} passes, {training_time(table)} beside other work.",
        "",
        "## Figures",
        "",
        "On the test part, of shapes never seen:",
        "",
        *(f"- {_WORDS[key]}: {value:.3f}" for key, value in table["test"].items()),
    ]
    return "\n".join([*lines, "", "## Limits", "", _LIMITS])


def _public(config: SmallConfig, origin: str) -> SmallConfig:
    """Return a configuration without paths of the machine it was made on."""
    return replace(config, start=origin or without_folders(config.start))
