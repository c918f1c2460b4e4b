"""The model that comes with the package, written from a run."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from sightline.learning.bundle import refuse_unfit
from sightline.learning.runs import CONFIG, WEIGHTS, read_run_table, save_weights
from sightline.tasks.relative.config import write_config
from sightline.tasks.relative.predict import BUNDLED, default_model, load_run

__all__ = ["BUNDLED", "bundle_run", "default_model", "load_run"]

#: The bundled model may take this much room in the package.
_BUNDLE_LIMIT_BYTES = 6 * 1024 * 1024


def bundle_run(run_dir: Path, folder: Path = BUNDLED) -> Path:
    """Write a run's model into the package, in 16 bits, and return the folder.

    Raises:
        InputError: It takes more room than a package should (6 MB).
        WeightsError: The run is not finished, or its weights do not fit into 16 bits.
    """
    model = load_run(run_dir)
    refuse_unfit(run_dir, model.network.parameter_count(), _BUNDLE_LIMIT_BYTES)
    table: dict[str, Any] = read_run_table(run_dir)
    kept = {k: v for k, v in table.items() if k != "pairs"}  # a path of the machine it was made on
    # paths of that machine would mean nothing here
    config = dataclasses.replace(model.config, fine_tune="")
    save_weights(folder / WEIGHTS, model.network, half=True, task="relative")
    write_config(folder / CONFIG, config, run=kept | {"name": model.run})
    return folder
