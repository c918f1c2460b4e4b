"""The model that comes with the package, written from a run, and the card beside it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.errors import WeightsError
from sightline.learning.bundle import training_time, write_bundle
from sightline.learning.runs import WEIGHTS
from sightline.tasks.depth.config import DepthConfig
from sightline.tasks.depth.predict import NetworkModel, load_run

#: The folder of the model that comes with the package.
BUNDLED = Path(__file__).with_name("weights")

#: The bundled model may take this much room in the package.
_BUNDLE_LIMIT_BYTES = 8 * 1024 * 1024

#: What a configuration names that is not on another machine.
_LOCAL = ("fine_tune", "teacher", "unlabelled", "labels", "features")

#: What a run says of itself that means nothing on another machine.
_LOCAL_TABLE = ("folder", "steps")

_LIMITS = {
    "disparity": """\
- It says inverse depth up to an unknown scale and shift: what is nearer, and by how much relative
  to the rest of the picture. For metres, a known distance or a place is needed (docs/depth.md).
""",
    "depth": """\
- It says metres for cameras of about the focal length of its training pictures; a longer lens
  makes everything nearer than it is. It never says more than {farthest:g} m.
""",
}

_ALL_LIMITS = """\
- Mirrors, glass, sky and pictures of pictures get the depth of what they look like.
- Depth steps are as sharp as half the training frames' size lets them be; `resolution` shows more
  detail and less of the whole.
"""


def default_model(
    folder: Path = BUNDLED, *, resolution: float = 1.0, device: str = "cpu"
) -> NetworkModel | None:
    """Return the model that comes with the package, or None where there is none."""
    if not (folder / WEIGHTS).is_file():
        return None
    return load_run(folder, resolution=resolution, device=device)


def need_default_model(
    folder: Path = BUNDLED, *, resolution: float = 1.0, device: str = "cpu"
) -> NetworkModel:
    """Return the model that comes with the package.

    Raises:
        WeightsError: There is none.
    """
    model = default_model(folder, resolution=resolution, device=device)
    if model is None:
        raise WeightsError(
            f"a network is wanted, the package has none in {folder}; train one with "
            "`sightline train depth`, or name one of Depth Anything's, and pass it"
        )
    return model


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
        "depth",
        _public(model.config),
        lambda table: model_card(model, table, figures),
        limit_bytes=_BUNDLE_LIMIT_BYTES,
        local=_LOCAL_TABLE,
        about={"name": model.name},
    )


def model_card(model: NetworkModel, table: Mapping[str, Any], figures: str = "") -> str:
    """Return what to know of a model before using it, in Markdown.

    Args:
        model: The model.
        table: What its run says of itself (``learning.runs.read_run_table``).
        figures: What else was measured, in Markdown.
    """
    config, network = model.config, model.network
    width = f" of width {config.width:g}" if config.architecture == "small" else ""
    says = (
        f"z-depth in metres, at most {config.max_depth_m:g}"
        if model.quantity == "depth"
        else "inverse depth (disparity) up to scale and shift, which grows towards the camera"
    )
    scores = {k: v for k, v in table.items() if k.startswith("validation_")}
    lines = [
        f"# {model.name}: how far every pixel is",
        "",
        f"`{config.architecture}` with the encoder `{config.encoder}`{width}, stage "
        f"`{config.stage}`; {network.parameter_count() / 1e6:.1f} million parameters. "
        f"Weights before training: {table.get('weights_from', 'unknown')}.",
        "",
        "Input: an RGB picture, resized to about "
        f"{config.frame_width} x {config.frame_height} pixels, its aspect kept. Output: {says}.",
        "",
        "## Data",
        "",
        f"Trained on `{table.get('set', 'unknown')}`, {training_time(table)}.",
        "",
        "## Figures",
        "",
    ]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in scores.items()]
    if figures.strip():
        lines += ["", figures.strip()]
    limits = _LIMITS[model.quantity].format(farthest=config.max_depth_m) + _ALL_LIMITS
    return "\n".join([*lines, "", "## Limits", "", limits])


def _public(config: DepthConfig) -> DepthConfig:
    """Return a configuration without paths of the machine it was made on."""
    weights = config.weights if config.weights in ("imagenet", "none") else "none"
    cleared: dict[str, Any] = dict.fromkeys(_LOCAL, "")
    return dataclasses.replace(config, weights=weights, **cleared)
