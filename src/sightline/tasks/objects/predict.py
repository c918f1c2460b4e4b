"""The trained model that answers what an object is and how it is turned; loading runs no code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from sightline.errors import GeometryError, InputError, WeightsError
from sightline.geometry.rotation import Array
from sightline.geometry.viewpoint import object_from_turn
from sightline.learning.cache import Progress
from sightline.learning.calibration import confidences
from sightline.learning.runs import CONFIG, WEIGHTS, load_weights, read_run_table
from sightline.records.objects import Box, ObjectSet, rotations
from sightline.tasks.objects.config import Fusion, ObjectsConfig, read_config
from sightline.tasks.objects.fusion import fuse, fused_rotation, ranked_rotations
from sightline.tasks.objects.model import ObjectsNet, create_model
from sightline.tasks.objects.predictions import ObjectPredictions
from sightline.tasks.objects.view_crops import crops_of, read_crops

Photo = NDArray[np.uint8]

#: The folder of the model that comes with the package.
BUNDLED = Path(__file__).with_name("weights")

#: How the categories' poses become one where no category is known.
RULES: tuple[Fusion, ...] = ("weighted", "top1", "chordal")

#: Poses of the likeliest categories, one by one: the key of the k-th.
RANKED = ("top1", "top2", "top3")

#: A pose this near to the true one counts as right in the confidence (the paper's pi / 6).
RIGHT_DEG = 30.0

#: Which way each number of :func:`evidence` may speak (``fit_confidence``).
EVIDENCE_SIGNS = (1, -1, 1)

#: Probabilities nearer to 0 or 1 than this say nothing more.
_SURE = 1e-4


@dataclass(frozen=True, eq=False)
class Answers:
    """What a network says of N crops.

    Attributes:
        categories: Names of the K categories.
        probabilities: (N, K).
        rotations: (N, 4) ``cam_from_object`` for each of ``weighted``, ``top1``, ``chordal``,
            ``oracle`` (NaN where no category was told), ``top2`` and ``top3`` (the pose of the
            second and third likeliest category; NaN where there are fewer).
        rule: The key that ``cam_from_object`` takes.
        concentration: (N,) grows with the certainty of the pose.
        confidence: (N,) probability that the category is right and the pose within 30 degrees.
    """

    categories: tuple[str, ...]
    probabilities: Array
    rotations: dict[str, Array]
    rule: str
    concentration: Array
    confidence: Array

    def __len__(self) -> int:
        return len(self.probabilities)

    @property
    def category(self) -> NDArray[np.int64]:
        """(N,) index of the likeliest category."""
        best: NDArray[np.int64] = self.probabilities.argmax(axis=1)
        return best

    @property
    def cam_from_object(self) -> Array:
        """(N, 4) by the model's own rule."""
        return self.rotations[self.rule]


@dataclass(frozen=True, eq=False)
class ObjectsModel:
    """A trained network, ready to answer; safe to call from several threads at once.

    Attributes:
        network: In eval mode.
        config: What it was trained with.
        categories: Names, in the order of its outputs.
        name: Of its run, for tables.
        confidence: Share of the validation objects it was right on; every answer's confidence
            where ``weights`` are empty.
        weights: Of :func:`sightline.learning.calibration.fit_confidence` on :func:`evidence`.
        rule: How the categories' poses become one.
    """

    network: ObjectsNet
    config: ObjectsConfig
    categories: tuple[str, ...]
    name: str
    confidence: float
    weights: tuple[float, ...]
    rule: Fusion

    def predict(
        self,
        crops: Photo,
        known: NDArray[np.int64] | None = None,
        *,
        trust: bool = False,
        batch: int = 64,
    ) -> Answers:
        """Return what the network says of crops.

        Args:
            crops: (N, S, S, 3) uint8 RGB, from :func:`.samples.crop`.
            known: (N,) index of the category where it is known, -1 elsewhere; for ``oracle``.
            trust: Where a category is known, take it as certain: all poses, the concentration and
                the confidence are then of that category; the probabilities stay the network's.
            batch: Crops computed together.

        Raises:
            InputError: Not uint8 (N, S, S, 3) of the network's size.
            GeometryError: An answer is not finite.
        """
        size = self.config.crop_px
        if crops.dtype != np.uint8 or crops.shape[1:] != (size, size, 3):
            raise InputError(
                f"uint8 crops of shape (N, {size}, {size}, 3) are wanted, "
                f"{crops.dtype} {crops.shape} came"
            )
        told = np.full(len(crops), -1, dtype=np.int64) if known is None else np.asarray(known)
        parts = [
            self._batch(crops[i : i + batch], told[i : i + batch], trust=trust)
            for i in range(0, len(crops), batch)
        ]
        return self._joined(parts)

    def predict_boxes(
        self,
        image: Photo,
        boxes: Sequence[Box],
        known: NDArray[np.int64] | None = None,
        *,
        trust: bool = False,
    ) -> Answers:
        """Return what the network says of the boxes of one picture.

        Args:
            image: (H, W, 3) uint8 RGB, upright.
            boxes: ``x0, y0, x1, y1`` in pixels from edge to edge.
            known: See :meth:`predict`.
            trust: The same.

        Raises:
            InputError: A box without an area inside the picture.
        """
        crops = crops_of(image, boxes, self.config.crop_px, self.config.context)
        return self.predict(crops, known, trust=trust)

    def predict_views(
        self, data: ObjectSet, progress: Progress = lambda _stage, _fraction: None, batch: int = 64
    ) -> ObjectPredictions:
        """Return answers for every view of a set, in its order, with the truth beside.

        Views of categories that the network does not know have the true category -1.

        Raises:
            InputError: A box without an area inside its picture.
            MediaError: An image is missing or damaged; the message names it.
        """
        index = {name: k for k, name in enumerate(self.categories)}
        category = np.array([index.get(v.category, -1) for v in data.views], dtype=np.int64)
        parts: list[Answers] = []
        done = 0
        for crops in read_crops(data, self.config.crop_px, self.config.context, batch):
            parts.append(self._batch(crops, category[done : done + len(crops)]))
            done += len(crops)
            progress(f"{self.name}: {data.name}", done / len(data))
        answers = self._joined(parts)
        return ObjectPredictions(
            categories=self.categories,
            images=tuple(view.image.as_posix() for view in data.views),
            boxes=np.array([view.box for view in data.views], dtype=np.float64).reshape(-1, 4),
            category=category,
            true=rotations(data.views),
            probabilities=answers.probabilities,
            rotations=answers.rotations,
            rule=answers.rule,
            confidence=answers.confidence,
            concentration=answers.concentration,
        )

    def _batch(self, crops: Photo, known: NDArray[np.int64], *, trust: bool = False) -> Answers:
        network = self.network
        device = next(network.parameters()).device
        # not inference mode: what roma then keeps of its first call lets no gradient pass later on
        with torch.no_grad():
            images = torch.from_numpy(np.ascontiguousarray(crops)).to(device).permute(0, 3, 1, 2)
            out = network(network.contract.normalise(images))
            vectors, likely = out.vectors.float(), out.logits.float().softmax(dim=1)
            # before the heads see them: some fail in the middle of an SVD
            if not (torch.isfinite(vectors).all() and torch.isfinite(likely).all()):
                raise GeometryError(
                    f"finite answers are wanted; the network {self.name} gave others"
                )
            told = torch.from_numpy(known).to(device)
            certain = torch.nn.functional.one_hot(told.clamp(min=0), likely.shape[1]).float()
            weights = torch.where((told >= 0)[:, None], certain, likely) if trust else likely
            turns = _turns(network, vectors, weights, certain)
            # the mean rotation has no vector of its own: the weighted one says how far they agree
            rule: Literal["weighted", "top1"] = "top1" if self.rule == "top1" else "weighted"
            fused = fuse(network.head, vectors, weights, rule)
            concentration = _numpy(network.head.concentration(fused))
        probabilities = _numpy(likely)
        sure = np.full(len(crops), self.confidence)
        if self.weights:
            sure = confidences(self.weights, evidence(_numpy(weights), concentration))
        turns["oracle"][known < 0] = np.nan
        rotation = {key: object_from_turns(turn) for key, turn in turns.items()}
        return Answers(self.categories, probabilities, rotation, self.rule, concentration, sure)

    def _joined(self, parts: Sequence[Answers]) -> Answers:
        if not parts:
            none = {key: np.zeros((0, 4)) for key in (*RULES, "oracle", *RANKED[1:])}
            zero = np.zeros(0)
            likely = np.zeros((0, len(self.categories)))
            return Answers(self.categories, likely, none, self.rule, zero, zero)
        return Answers(
            self.categories,
            np.concatenate([part.probabilities for part in parts]),
            {
                key: np.concatenate([part.rotations[key] for part in parts])
                for key in parts[0].rotations
            },
            self.rule,
            np.concatenate([part.concentration for part in parts]),
            np.concatenate([part.confidence for part in parts]),
        )


def ready(
    network: ObjectsNet,
    config: ObjectsConfig,
    categories: Sequence[str],
    name: str,
    confidence: float = 0.0,
    weights: Sequence[float] = (),
    rule: Fusion | None = None,
) -> ObjectsModel:
    """Return a network in eval mode as a model that answers, by the configured rule if None.

    Raises:
        InputError: No such rule.
    """
    rule = config.fusion if rule is None else rule
    if rule not in RULES:
        raise InputError(f"a fusion rule of {', '.join(RULES)} is wanted, {rule!r} came")
    network.eval()
    network.requires_grad_(False)
    return ObjectsModel(
        network, config, tuple(categories), name, confidence, tuple(map(float, weights)), rule
    )


def load_run(run_dir: str | Path, rule: Fusion | None = None) -> ObjectsModel:
    """Return the trained model of a run folder.

    Args:
        run_dir: The folder.
        rule: How the categories' poses become one; the run's own where None.

    Raises:
        InputError: The folder has no configuration, or one of another task.
        WeightsError: The weights are missing, or do not fit the configuration exactly.
    """
    run_dir = Path(run_dir)
    config = read_config(run_dir / CONFIG)
    table = read_run_table(run_dir)
    categories = tuple(str(name) for name in table.get("categories", ()))
    if not categories:
        raise InputError(
            f"{run_dir / CONFIG}: the names of the categories are wanted in [run], there are none; "
            "its training did not end"
        )
    network = create_model(config, categories, weights="none")
    load_weights(run_dir, network)
    return ready(
        network,
        config,
        categories,
        str(table.get("name", run_dir.resolve().name)),
        float(table.get("confidence", 0.0)),
        table.get("confidence_weights", ()),
        rule,
    )


def default_model(folder: Path = BUNDLED, rule: Fusion | None = None) -> ObjectsModel | None:
    """Return the model that comes with the package, or None where there is none."""
    return load_run(folder, rule) if (folder / WEIGHTS).is_file() else None


def need_default_model(folder: Path = BUNDLED, rule: Fusion | None = None) -> ObjectsModel:
    """Return the model that comes with the package.

    Raises:
        WeightsError: There is none.
    """
    model = default_model(folder, rule)
    if model is None:
        raise WeightsError(
            f"a network is wanted, the package has none in {folder}; train one with "
            "`sightline train objects` and pass its run folder"
        )
    return model


def evidence(probabilities: Array, concentration: Array) -> Array:
    """Return (N, 3) numbers that speak for an answer: what its confidence is made of.

    The log-odds of the likeliest category, the entropy of the categories, and the logarithm of
    the pose's concentration.

    Args:
        probabilities: (N, K).
        concentration: (N,), not negative.
    """
    p = np.clip(probabilities, _SURE, 1.0 - _SURE)
    best = p.max(axis=1)
    entropy = -(p * np.log(p)).sum(axis=1)
    certain = np.log(np.maximum(concentration, 0.0) + 1e-3)
    return np.column_stack([np.log(best) - np.log1p(-best), entropy, certain])


def object_from_turns(matrices: Array) -> Array:
    """Return (N, 4) ``cam_from_object`` of (N, 3, 3) turns from the front; NaN stays NaN.

    Source: :func:`sightline.geometry.viewpoint.object_from_turn`.
    """
    known = np.isfinite(matrices).all(axis=(1, 2))
    found = np.full((len(matrices), 4), np.nan)
    if known.any():
        turn = Rotation.from_matrix(matrices[known]).as_quat(scalar_first=True)
        found[known] = object_from_turn(turn)
    return found


def _turns(
    network: ObjectsNet, vectors: Tensor, weights: Tensor, known: Tensor
) -> dict[str, Array]:
    """Return (N, 3, 3) turns from the front by rule; ``known`` is 1 at the true category."""
    head = network.head
    found: dict[str, Array] = {
        rule: _numpy(fused_rotation(head, vectors, weights, rule)) for rule in RULES
    }
    found["oracle"] = _numpy(fused_rotation(head, vectors, known, "oracle"))
    count = min(len(RANKED), weights.shape[1])
    ranked = _numpy(ranked_rotations(head, vectors, weights, count))
    for k, key in enumerate(RANKED[1:], start=1):
        found[key] = ranked[:, k] if k < count else np.full_like(found["top1"], np.nan)
    return found


def _numpy(tensor: Tensor) -> Array:
    array: Array = tensor.double().cpu().numpy()
    return array
