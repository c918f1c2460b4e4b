"""The protocols of Table 1 as named steps, and what each of them depends on; without torch.

===== ======================= ========================= =========================
step  pose_first              balanced                  what is trained
===== ======================= ========================= =========================
1     features                features                  nothing; without published weights the
                                                        ResNet, to tell the categories
2     pose-networks           pose-networks             pose networks, on fixed features
3     fine-tune                                         features and pose networks
4     category-network        3: category-network       category network, on fixed features
5     joint                   4: joint                  everything
===== ======================= ========================= =========================

The pose networks of steps 2 and 3 are told the category (the oracle of Fig. 4). Architectures whose
category has a ResNet of its own have no joint step: the category's ResNet is trained by itself.

Source: Mahendran et al. 2018, Sec. 3.3, Table 1; rendered images: Sec. 4.4.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sightline.errors import InputError
from sightline.learning.config import FitConfig
from sightline.records.files import digest, digest_files
from sightline.tasks.objects.config import ObjectsConfig

Loss = Literal["pose", "category", "joint"]
PartName = Literal["features", "category_features", "category", "pose"]

EVERYTHING: tuple[PartName, ...] = ("features", "category", "pose")

#: How much of the time each step has; what no step takes goes to the others. Equal steps of the
#: protocols have equal shares, so that their results can be shared.
_SHARES = {"features": 0.12, "pose-networks": 0.03, "category-network": 0.10, "fine-tune": 0.40}

#: Learning rate of a joint step that follows others: at the full rate it loses in its first epochs
#: much of what they taught.
_JOINT_RATE = 0.3

_WORDS = {
    "features": "the features, as they are: nothing is trained",
    "pose-networks": "the pose networks by the true category, on features that stay fixed",
    "fine-tune": "features and pose networks together, by the true category",
    "category-network": "the category network, on features that stay fixed",
    "category-resnet": "the category's own ResNet",
    "joint": "everything, by the pose of the predicted categories and the category together",
}
_FROM_SCRATCH = "the ResNet, to tell the categories, in place of published weights"


@dataclass(frozen=True)
class Step:
    """One step of training.

    Attributes:
        number: From 1, as in Table 1.
        name: In folder names and tables.
        trains: The parts that change; all others stay exactly as they are.
        loss: What is made small.
        share: Of the time of all steps.
        rate: Its highest learning rate, over the configured one.
        rendered: Whether images that only teach pose are added.
    """

    number: int
    name: str
    trains: tuple[PartName, ...]
    loss: Loss
    share: float
    rate: float = 1.0
    rendered: bool = False

    @property
    def fixed_inputs(self) -> bool:
        """Whether what is trained reads features that do not change, computed once."""
        return self.trains == ("pose",)

    @property
    def words(self) -> str:
        """What is trained, in words."""
        if self.name == "features" and self.trains:
            return _FROM_SCRATCH
        return _WORDS[self.name]


def protocol(config: ObjectsConfig, categories: int = 2) -> tuple[Step, ...]:
    """Return the steps of a training, in order.

    Args:
        config: Its architecture, protocol and weights.
        categories: How many there are; one category needs no steps that teach it.
    """
    if config.fine_tune or config.protocol == "joint":
        rate = _JOINT_RATE if config.fine_tune else 1.0
        return (Step(1, "joint", EVERYTHING, "joint", 1.0, rate),)
    own_resnet = config.architecture in ("sequential", "independent")
    scratch = config.weights == "none" and categories > 1
    first: tuple[PartName, ...] = ("category",)
    first = (*(("category_features",) if own_resnet else ("features",)), *first)
    steps = [
        Step(1, "features", first if scratch else (), "category", 0.0),
        Step(2, "pose-networks", ("pose",), "pose", 0.0, rendered=True),
    ]
    tune = Step(0, "fine-tune", ("features", "pose"), "pose", 0.0, rendered=True)
    category = Step(0, "category-network", ("category",), "category", 0.0)
    joint = Step(0, "joint", EVERYTHING, "joint", 0.0, _JOINT_RATE)
    if own_resnet:
        steps += [tune, replace(category, name="category-resnet")]
    elif config.protocol == "pose_first":
        steps += [tune, category, joint]
    else:
        steps += [category, joint]
    if categories == 1:
        steps = [step for step in steps if step.loss != "category" or not step.trains]
    return _timed(steps)


def steps_until(config: ObjectsConfig, categories: int, last: str) -> tuple[Step, ...]:
    """Return the steps of a training up to a named one; all where it is empty.

    Raises:
        InputError: The training has no such step.
    """
    steps = protocol(config, categories)
    names = [step.name for step in steps]
    if last and last not in names:
        raise InputError(f"a step of {', '.join(names)} is wanted to stop after, {last!r} came")
    return steps[: names.index(last) + 1] if last else steps


def step_settings(step: Step, config: ObjectsConfig) -> ObjectsConfig:
    """Return the configuration a step is made by; what it does not depend on has its default.

    So runs that differ in what only a later step looks at share this one.
    """
    default = {field.name: field.default for field in dataclasses.fields(config)}
    aside = {"protocol", "fine_tune", "rendered"}
    if step.loss != "joint":
        aside |= {"fusion", "category_weight"}
    if step.loss == "category":
        aside |= {"symmetric"}
    tuned = "category" in step.trains and "category_features" not in step.trains
    if not tuned or config.architecture != "sequential":
        aside |= {"tuned"}
    if step.fixed_inputs or not step.trains:
        aside |= {"jitter_tilt_deg", "jitter_turn_deg", "jitter_box", "colour"}
    if not step.trains:
        aside |= {"flip", *(field.name for field in dataclasses.fields(FitConfig))} - {"seed"}
    changed: dict[str, Any] = {name: default[name] for name in aside}
    if step.trains:
        changed["max_seconds"] = round(config.max_seconds * step.share, 3)
        changed["learning_rate"] = config.learning_rate * step.rate
    return replace(config, **changed)


def step_key(step: Step, settings: ObjectsConfig, before: str, data: str, rendered: str) -> str:
    """Return a digest of everything that makes a step's result.

    Args:
        step: The step.
        settings: Of :func:`step_settings`.
        before: The key of the step before, or a digest of what the training starts from.
        data: Digest of the data.
        rendered: Digest of the images that only teach pose.
    """
    made_by = replace(settings, threads=0, checkpoint_every_s=0.0)  # these change no result
    file = Path(settings.weights)
    weights = digest_files([file]) if file.is_file() else ""
    added = rendered if step.rendered else ""
    return digest(step.name, step.trains, step.loss, made_by, weights, before, data, added)


def _timed(steps: list[Step]) -> tuple[Step, ...]:
    """Return the steps numbered, with their shares of the time; they sum to 1."""
    named = sum(_SHARES.get(step.name, 0.0) for step in steps)
    last = max(1.0 - named, 0.0)
    given = [_SHARES.get(step.name, last) if step.trains else 0.0 for step in steps]
    return tuple(
        replace(step, number=number, share=share / sum(given))
        for number, (step, share) in enumerate(zip(steps, given, strict=True), 1)
    )
