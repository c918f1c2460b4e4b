"""The trained predictor: how likely an image is of use to machines; loading runs no code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from sightline.errors import WeightsError
from sightline.learning.calibration import confidences
from sightline.learning.runs import CONFIG, WEIGHTS, load_weights, read_run_table
from sightline.records.files import digest_files
from sightline.tasks.utility.config import UtilityConfig, read_config
from sightline.tasks.utility.model import UtilityNet, create_model
from sightline.tasks.utility.samples import Photo, frame_of

#: The folder of the network that comes with the package.
BUNDLED = Path(__file__).with_name("weights")

#: Useful from this probability on where validation could not tell a better one.
DEFAULT_THRESHOLD = 0.5

#: Calibration that changes nothing: what is added to a logit, and what it is multiplied by.
UNCALIBRATED = (0.0, 1.0)


@dataclass(frozen=True, eq=False)
class UtilityModel:
    """A trained network, ready to answer; safe to call from several threads at once.

    Attributes:
        network: In eval mode.
        config: What it was trained with.
        name: Of its run, for tables.
        threshold: An image is useful where its probability is this or more; chosen on validation.
        calibration: Bias and slope of the logit (Platt 1999), fitted on validation.
        digest: Of weights, configuration and calibration: the same digest, the same answers.
        task: What the machines do whose answers it foresees; empty where the run does not say.
        machines: Their names.
    """

    network: UtilityNet
    config: UtilityConfig
    name: str
    threshold: float = DEFAULT_THRESHOLD
    calibration: tuple[float, ...] = UNCALIBRATED
    digest: str = ""
    task: str = ""
    machines: tuple[str, ...] = ()

    def utility(self, images: Sequence[Photo], batch: int = 64) -> NDArray[np.float32]:
        """Return (N,) the probability that each image is of use, from 0 to 1.

        Args:
            images: uint8 (H, W, 3) RGB, each of any size.
            batch: Images that go through the network together.

        Raises:
            InputError: One is no such image.
        """
        parts = [
            self.frames_utility(
                np.stack([frame_of(i, self.config.frame_px) for i in images[k : k + batch]])
            )
            for k in range(0, len(images), batch)
        ]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def frames_utility(self, frames: Photo, batch: int = 64) -> NDArray[np.float32]:
        """Return (N,) probabilities of frames that have the network's size: (N, H, W, 3)."""
        logits = frame_logits(self.network, frames, batch)
        return confidences(self.calibration, logits[:, None]).astype(np.float32)

    def useful(self, images: Sequence[Photo]) -> NDArray[np.bool_]:
        """Return (N,) whether each image is of use."""
        answer: NDArray[np.bool_] = self.utility(images) >= self.threshold
        return answer


def frame_logits(network: UtilityNet, frames: Photo, batch: int = 64) -> NDArray[np.float64]:
    """Return (N,) logit of useful over useless, as the network says it, of (N, H, W, 3) frames."""
    device = next(network.parameters()).device
    parts = []
    with torch.inference_mode():
        for k in range(0, len(frames), batch):
            images = torch.from_numpy(np.ascontiguousarray(frames[k : k + batch])).to(device)
            out = network(images.permute(0, 3, 1, 2))
            parts.append((out[:, 1] - out[:, 0]).double().cpu().numpy())
    return np.concatenate([np.zeros(0), *parts])


def load_predictor(run_dir: str | Path | None = None) -> UtilityModel:
    """Return the predictor of a run folder; of the package where none is named.

    Raises:
        InputError: The folder has no configuration, or one of another task.
        WeightsError: The weights are missing, or do not fit; the package has no network.
    """
    if run_dir is None:
        return need_default_model()
    folder = Path(run_dir)
    config = read_config(folder / CONFIG)
    table = read_run_table(folder)
    network = create_model(config, weights="none")
    load_weights(folder, network)
    return ready(
        network,
        config,
        name=str(table.get("name", folder.resolve().name)),
        threshold=float(table.get("threshold", DEFAULT_THRESHOLD)),
        calibration=tuple(float(w) for w in table.get("calibration", UNCALIBRATED)),
        digest=digest_files([folder / CONFIG, folder / WEIGHTS], names=False),
        task=str(table.get("task", "")),
        machines=tuple(str(name) for name in table.get("machines", ())),
    )


def ready(network: UtilityNet, config: UtilityConfig, name: str, **said: object) -> UtilityModel:
    """Return a network in eval mode as a predictor."""
    network.eval()
    network.requires_grad_(False)
    return UtilityModel(network, config, name, **said)  # type: ignore[arg-type]


def default_model(folder: Path = BUNDLED) -> UtilityModel | None:
    """Return the predictor that comes with the package, or None where there is none."""
    return load_predictor(folder) if (folder / WEIGHTS).is_file() else None


def need_default_model(folder: Path = BUNDLED) -> UtilityModel:
    """Return the predictor that comes with the package.

    Raises:
        WeightsError: There is none.
    """
    model = default_model(folder)
    if model is None:
        raise WeightsError(
            f"a network is wanted, the package has none in {folder}; train one with "
            "`sightline train utility` and pass its run folder"
        )
    return model
