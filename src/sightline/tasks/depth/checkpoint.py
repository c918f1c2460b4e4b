"""The model that comes with the package, written from a run, and the card beside it."""

from __future__ import annotations

from pathlib import Path

from sightline.errors import WeightsError
from sightline.learning.runs import WEIGHTS
from sightline.tasks.depth.predict import NetworkModel, load_run

#: The folder of the model that comes with the package.
BUNDLED = Path(__file__).with_name("weights")


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
