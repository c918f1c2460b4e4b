"""The model that comes with the package, written from a run, and the card beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.learning.bundle import training_time, write_bundle
from sightline.tasks.objects.config import ObjectsConfig
from sightline.tasks.objects.predict import (
    BUNDLED,
    RIGHT_DEG,
    ObjectsModel,
    default_model,
    load_run,
)

__all__ = ["BUNDLED", "bundle_run", "default_model", "load_run", "model_card"]

#: The bundled model may take this much room in the package.
_BUNDLE_LIMIT_BYTES = 8 * 1024 * 1024

#: What a run says of itself that means nothing on another machine.
_LOCAL = ("folder", "steps")

#: The parts of the data, as a run names them and as the card does.
_PARTS = {
    "training": "objects to train on",
    "rendered": "renderings beside them, for pose alone",
    "validation": "objects to choose the best weights and to fit the confidence",
}

_COUNTS = tuple(f"{part}_views" for part in _PARTS)

_LIMITS = f"""\
- It knows these categories and no others: whatever the box shows gets one of them. There is no
  answer "none of these"; the confidence is the only sign.
- It answers for one object that fills its box, upright and mostly whole. Cut-off, hidden or
  upside-down objects were not trained on.
- The confidence is the probability that the category is right and the pose within
  {RIGHT_DEG:.0f} degrees, fitted on the validation part of the data above. On pictures of another
  kind it is too high.
- Azimuth means nothing for an object that looks the same from all sides, and has two equal
  answers for one that looks the same from two.
"""


def bundle_run(run_dir: Path, folder: Path = BUNDLED, figures: str = "") -> Path:
    """Write a run's model into the package, in 16 bits, with its card, and return the folder.

    Args:
        run_dir: A finished run.
        folder: Where to.
        figures: What was measured and on what, in Markdown, for the card; the run's validation
            scores stand there in any case.

    Raises:
        InputError: It takes more room than a package should (8 MB).
        WeightsError: The run is not finished, or its weights do not fit into 16 bits.
    """
    model = load_run(run_dir)
    return write_bundle(
        run_dir,
        folder,
        model.network,
        "objects",
        _public(model.config),
        lambda table: model_card(model, table, figures),
        limit_bytes=_BUNDLE_LIMIT_BYTES,
        local=_LOCAL,
        about={"name": model.name},
    )


def model_card(model: ObjectsModel, table: Mapping[str, Any], figures: str = "") -> str:
    """Return what to know of a model before using it, in Markdown.

    Args:
        model: The model.
        table: What its run says of itself (``learning.runs.read_run_table``).
        figures: What else was measured, in Markdown.
    """
    config = model.config
    scores = {k: v for k, v in table.items() if k.startswith("validation_") and k not in _COUNTS}
    lines = [
        f"# {model.name}: what an object is and how it is turned",
        "",
        f"`{config.architecture}` on `{config.backbone}` (width {config.width:g}), head "
        f"`{config.head}`, fusion `{model.rule}`, protocol `{config.protocol}`; "
        f"{model.network.parameter_count() / 1e6:.1f} million parameters. "
        f"Weights before training: {table.get('weights_from', 'unknown')}.",
        "",
        f"Input: one box of an RGB picture, scaled to {config.crop_px} x {config.crop_px} pixels. "
        "Output: a probability for each category, the rotation from the object's axes to the "
        "camera's, and a confidence.",
        "",
        f"Categories: {', '.join(model.categories)}.",
        "",
        "## Data",
        "",
        f"Trained on `{table.get('set', 'unknown')}`{_counts(table)}, {training_time(table)}.",
        "",
        "## Figures",
        "",
    ]
    lines += [f"- {_words(key)}: {value}" for key, value in scores.items()]
    if figures.strip():
        lines += ["", figures.strip()]
    return "\n".join([*lines, "", "## Limits", "", _LIMITS])


def _public(config: ObjectsConfig) -> ObjectsConfig:
    """Return a configuration without paths of the machine it was made on."""
    weights = config.weights if config.weights in ("imagenet", "none") else "none"
    return dataclasses.replace(config, weights=weights, rendered="", fine_tune="")


def _counts(table: Mapping[str, Any]) -> str:
    parts = [
        f"{table[f'{part}_views']:,} {words}"
        for part, words in _PARTS.items()
        if table.get(f"{part}_views")
    ]
    return f" ({', '.join(parts)})" if parts else ""


def _words(key: str) -> str:
    return key.replace("_", " ")
