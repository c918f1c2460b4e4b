"""The predictor that comes with the package, written from a run, and the card beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.learning.bundle import training_time, write_bundle
from sightline.tasks.utility.config import UtilityConfig
from sightline.tasks.utility.predict import BUNDLED, UtilityModel, default_model, load_predictor

__all__ = ["BUNDLED", "bundle_run", "default_model", "load_predictor", "model_card"]

#: The bundled predictor may take this much room in the package.
_BUNDLE_LIMIT_BYTES = 4 * 1024 * 1024

_LIMITS = """\
- It foresees the machines it was trained for, on the kinds of distortion it was trained on. Other
  machines of the same task mostly agree with them; another task's need not.
- It says nothing of what an image shows: a machine may err on an undistorted image too.
- An image is stretched to its frame: compression that shows at full size only is lost in a large
  photo.
- Its probability is calibrated for the share of useful images of its data. Where that differs, the
  order of images stays and the probability does not.
"""


def bundle_run(run_dir: Path, folder: Path = BUNDLED, figures: str = "") -> Path:
    """Write a run's predictor into the package, in 16 bits, with its card; return the folder.

    Args:
        run_dir: A finished run.
        folder: Where to.
        figures: What was measured and on what, in Markdown, for the card; the run's validation
            scores stand there in any case.

    Raises:
        InputError: It takes more room than a package should (4 MB).
        WeightsError: The run is not finished, or its weights do not fit into 16 bits.
    """
    model = load_predictor(run_dir)
    return write_bundle(
        run_dir,
        folder,
        model.network,
        "utility",
        _public(model.config),
        lambda table: model_card(model, table, figures),
        limit_bytes=_BUNDLE_LIMIT_BYTES,
        about={"name": model.name},
    )


def model_card(model: UtilityModel, table: Mapping[str, Any], figures: str = "") -> str:
    """Return what to know of a predictor before using it, in Markdown.

    Args:
        model: The predictor.
        table: What its run says of itself (``learning.runs.read_run_table``).
        figures: What else was measured, in Markdown.
    """
    config = model.config
    scores = {k: v for k, v in table.items() if k.startswith("validation_")}
    lines = [
        f"# {model.name}: is an image of use to machines",
        "",
        f"`{config.backbone}` of width {config.width:g}; "
        f"{model.network.parameter_count() / 1e6:.2f} million parameters. "
        f"Weights before training: {table.get('weights_from', 'unknown')}.",
        "",
        f"Input: an RGB picture, stretched to {config.frame_px} x {config.frame_px} pixels. "
        "Output: the probability that it is of use; useful from "
        f"{model.threshold:.3f} on (chosen for the best balanced accuracy on validation).",
        "",
        f"Machines ({model.task or 'unknown task'}, joined by `{table.get('operator', '?')}`): "
        f"{', '.join(model.machines) or 'unknown'}.",
        "",
        "## Data",
        "",
        f"Trained on `{table.get('set', 'unknown')}`: {table.get('training_images', 0):,} labelled "
        f"images, {table.get('training_useful', 0):,} of them useful, {training_time(table)}.",
        "",
        "## Figures",
        "",
    ]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in scores.items()]
    if figures.strip():
        lines += ["", figures.strip()]
    return "\n".join([*lines, "", "## Limits", "", _LIMITS])


def _public(config: UtilityConfig) -> UtilityConfig:
    """Return a configuration without paths of the machine it was made on."""
    weights = config.weights if config.weights in ("imagenet", "none") else "none"
    return dataclasses.replace(config, weights=weights)
