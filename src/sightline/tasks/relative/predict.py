"""The trained model that answers, a relative-pose method like any other; loading runs no code."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from sightline.errors import GeometryError, InputError, WeightsError
from sightline.geometry import Camera, Pose
from sightline.geometry.rotation import Array
from sightline.learning.calibration import confidences
from sightline.learning.runs import CONFIG, WEIGHTS, load_weights, read_run_table
from sightline.records.pairs import PAIRS_CSV, PairSet, read_pair_set
from sightline.records.views import RelativeEstimate, View
from sightline.tasks.relative.config import RelativeConfig, read_config
from sightline.tasks.relative.model import RelativeNet, create_model
from sightline.tasks.relative.samples import (
    PairBatch,
    crop,
    frame_camera,
    frame_size,
    make_batch,
)

Photo = NDArray[np.uint8]

#: The folder of the model that comes with the package.
BUNDLED = Path(__file__).with_name("weights")

_MID = (0.5, 0.5)


@dataclass(frozen=True, eq=False)
class RelativeModel:
    """A trained network, ready to answer; safe to call from several threads at once.

    Attributes:
        network: In eval mode.
        config: What it was trained with.
        run: Name of its run, for tables.
        confidence: Share of the validation pairs whose ROE and RTE were both below 10 degrees,
            measured when the training ended.
        weights: Of :func:`.calibration.fit_confidence`, from those same pairs; empty where every
            answer has the one confidence.
    """

    network: RelativeNet
    config: RelativeConfig
    run: str
    confidence: float
    weights: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """Full name, as tables show it."""
        return f"{self.config.model} ({self.run})"

    def relate(self, a: View, b: View) -> RelativeEstimate:
        """Return b_from_a with a translation of length 1.

        A network always has an answer. Where it matches, ``confidence`` comes from how its matches
        agree with that answer; otherwise it is the share of validation pairs it was right on, the
        same for every pair.
        """
        began = time.perf_counter()
        try:
            poses, sure = self.answer([(a.image, b.image)], [(a.camera, b.camera)])
        except (GeometryError, InputError) as error:
            spent = time.perf_counter() - began
            return RelativeEstimate("failed", self.name, None, seconds=spent, reason=str(error))
        return RelativeEstimate(
            "ok",
            self.name,
            poses[0],
            confidence=float(sure[0]),
            seconds=time.perf_counter() - began,
        )

    def predict(
        self,
        images: Sequence[tuple[Photo, Photo]],
        cameras: Sequence[tuple[Camera, Camera]] | None = None,
        batch: int = 32,
    ) -> Pose:
        """Return (N,) b_from_a with unit translations; see :meth:`answer`."""
        return self.answer(images, cameras, batch)[0]

    def answer(
        self,
        images: Sequence[tuple[Photo, Photo]],
        cameras: Sequence[tuple[Camera, Camera]] | None = None,
        batch: int = 32,
    ) -> tuple[Pose, Array]:
        """Return (N,) b_from_a with unit translations, and (N,) confidences.

        Args:
            images: Pairs of upright uint8 (H, W, 3) RGB images of any size.
            cameras: Their intrinsics; a usual field of view is taken where None. Only the network
                that matches uses them.
            batch: Pairs computed together.

        Raises:
            InputError: Not a uint8 (H, W, 3) image.
            GeometryError: The network's answer is not finite.
        """
        if not images:
            return Pose.stack([]), np.zeros(0)
        if cameras is None:
            cameras = [(_guess(a), _guess(b)) for a, b in images]
        found = []
        for start in range(0, len(images), batch):
            cuts, numbers = [], []
            for pair, both in zip(
                images[start : start + batch], cameras[start : start + batch], strict=True
            ):
                for image, camera in zip(pair, both, strict=True):
                    cut, number = self._prepare(image, camera)
                    cuts.append(cut)
                    numbers.append(number)
            part = make_batch(cuts, numbers, Pose.identity((len(cuts) // 2,)))
            found.append(predict_batch(self.network, part))
        evidence = np.concatenate([each.evidence for each in found])
        poses = normalised(np.concatenate([each.raw for each in found]))
        if not self.weights:
            return poses, np.full(len(images), self.confidence)
        return poses, confidences(self.weights, evidence)

    def _prepare(self, image: Photo, camera: Camera) -> tuple[Photo, Array]:
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise InputError(
                f"a uint8 RGB image of shape (H, W, 3) is wanted, {image.dtype} {image.shape} came"
            )
        height, width = image.shape[:2]
        size = frame_size(width, height, self.config)
        if (camera.width, camera.height) != (width, height):
            camera = camera.resized(width, height)
        frame = size.resize(Image.fromarray(image))
        return crop(frame, frame_camera(camera, size), self.config.crop_size(training=False), _MID)


def ready(
    network: RelativeNet,
    config: RelativeConfig,
    run: str,
    confidence: float,
    weights: tuple[float, ...] = (),
) -> RelativeModel:
    """Return a network in eval mode as a model that answers."""
    network.eval()
    network.requires_grad_(False)
    return RelativeModel(network, config, run, confidence, weights)


def load_run(run_dir: str | Path) -> RelativeModel:
    """Return the trained model of a run folder.

    Raises:
        InputError: The folder has no configuration, or one of another task.
        WeightsError: The weights are missing, or do not fit the configuration exactly.
    """
    run_dir = Path(run_dir)
    config = read_config(run_dir / CONFIG)
    network = create_model(config, weights="none")
    load_weights(run_dir, network)
    table = read_run_table(run_dir)
    name = str(table.get("name", run_dir.resolve().name))
    weights = tuple(float(w) for w in table.get("confidence_weights", ()))
    return ready(network, config, name, float(table.get("confidence", 0.0)), weights)


def default_model(folder: Path = BUNDLED) -> RelativeModel | None:
    """Return the model that comes with the package, or None where there is none."""
    return load_run(folder) if (folder / WEIGHTS).is_file() else None


def need_default_model(folder: Path = BUNDLED) -> RelativeModel:
    """Return the model that comes with the package.

    Raises:
        WeightsError: There is none.
    """
    model = default_model(folder)
    if model is None:
        raise WeightsError(
            f"a network is wanted, the package has none in {folder}; train one with "
            "`sightline train relative` and pass its run folder"
        )
    return model


def run_pairs(run_dir: Path) -> PairSet:
    """Return the pair set that a run was trained on.

    Raises:
        InputError: It is neither where it was nor around the run folder.
    """
    recorded = str(read_run_table(run_dir).get("pairs", ""))
    for root in (run_dir.resolve().parent.parent, Path(recorded)):
        if (root / PAIRS_CSV).is_file():
            return read_pair_set(root)
    raise InputError(
        f"{run_dir} was trained on the pairs of {recorded or 'another machine'}, which are not "
        "there any more; name a pair set"
    )


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says of a batch, as arrays.

    Attributes:
        raw: (N, 7) quaternions and translations of any length.
        evidence: (N, K) what speaks for each; K is 0 for a network that does not match.
    """

    raw: Array
    evidence: Array


def predict_batch(network: RelativeNet, batch: PairBatch) -> Answers:
    """Return what a network in eval mode says."""
    device = next(network.parameters()).device
    part = batch.to(device)
    with torch.inference_mode():
        out = network(part.image_a, part.image_b, part.camera_a, part.camera_b)
    evidence = out.raw.new_zeros((len(out.raw), 0)) if out.evidence is None else out.evidence
    return Answers(out.raw.double().cpu().numpy(), evidence.double().cpu().numpy())


def normalised(raw: NDArray[np.float64]) -> Pose:
    """Return (N,) poses of raw outputs: quaternion and translation scaled to length 1.

    Raises:
        GeometryError: An output is zero or not finite.

    Source: Melekhov et al. 2017, section 3.2.
    """
    lengths = np.linalg.norm(raw[:, 4:], axis=1, keepdims=True)
    if not np.isfinite(raw).all() or (lengths <= 0).any():
        raise GeometryError("a finite answer with a direction is wanted; the network gave none")
    return Pose(raw[:, :4], raw[:, 4:] / lengths)


def _guess(image: Photo) -> Camera:
    return Camera.guess(image.shape[1], image.shape[0])
