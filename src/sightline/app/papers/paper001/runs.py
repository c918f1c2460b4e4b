"""The trainings behind the tables: what each changes, which tables want it, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sightline.app.papers.paper001.config import Paper001Config
from sightline.tasks.objects.config import Head, ObjectsConfig
from sightline.tasks.objects.steps import protocol, step_key, step_settings

#: The last step of a training that is not run to its end, as ``tasks.objects.steps`` has it.
Until = Literal["", "pose-networks", "fine-tune", "category-network"]

HEADS: tuple[Head, ...] = ("axis_angle", "sixd", "fisher", "bins")


@dataclass(frozen=True)
class Training:
    """One training of the reproduction.

    Attributes:
        changes: What differs from the paper's own settings (``Paper001Config.training``).
        until: The last step; empty: all.
        rendered: Whether rendered images are added in the steps that teach pose alone.
    """

    changes: Mapping[str, Any] = field(default_factory=dict)
    until: Until = ""
    rendered: bool = False

    def settings(self, config: Paper001Config, start: str) -> ObjectsConfig:
        """Return the training's settings, but for the folder of rendered images.

        Args:
            config: What was asked for.
            start: Weights of the ResNet that all trainings start from.
        """
        changes = dict(self.changes)
        times = changes.pop("times", 1)
        first, second = config.pose_sizes
        settings = config.training(**changes, pose_sizes=(times * first, second), weights=start)
        if self.until == "pose-networks":
            return with_time(settings, self.until, _FROZEN * 60.0 * config.minutes)
        return settings


#: Share of a whole training's time that pose networks on fixed features have where they are all.
_FROZEN = 0.25
#: Stands for the file of the ResNet that is trained first, where it is only counted.
_FIRST = "resnet.safetensors"

_TOP1 = {"fusion": "top1"}
_BALANCED = {"protocol": "balanced"}
_SEQUENTIAL = {"architecture": "sequential"}
_SHARED = {"architecture": "shared"}

TRAININGS: dict[str, Training] = {
    "weighted": Training(),
    "top1": Training(_TOP1),
    "known": Training(until="fine-tune"),
    "rendered_weighted": Training(rendered=True),
    "rendered_top1": Training(_TOP1, rendered=True),
    "shared": Training(_SHARED),
    "independent": Training({"architecture": "independent"}),
    "sequential_everything": Training(_SEQUENTIAL),
    "sequential_fc": Training(_SEQUENTIAL | {"tuned": "fc"}),
    "sequential_fc_stage5": Training(_SEQUENTIAL | {"tuned": "fc_stage5"}),
    "balanced_weighted": Training(_BALANCED),
    "balanced_top1": Training(_BALANCED | _TOP1),
    "before": Training(_BALANCED, until="category-network"),
    "lambda1_weighted": Training({"category_weight": 1.0}),
    "lambda1_top1": Training({"category_weight": 1.0} | _TOP1),
    "stage3": Training({"stage": 3}, until="pose-networks"),
    "stage4": Training(until="pose-networks"),
    "stage5": Training({"stage": 5}, until="pose-networks"),
    **{
        f"independent{n}": Training(_SHARED | {"times": n}, until="pose-networks")
        for n in (12, 5, 1)
    },
    **{
        f"head_{head}{'_symmetric' if symmetric else ''}": Training(
            {"head": head, "symmetric": symmetric}
        )
        for head in HEADS
        for symmetric in (False, True)
    },
}

_STAGES = ("stage3", "stage4", "stage5")
_OURS = ("weighted", "top1")
_TUNED = ("sequential_everything", "sequential_fc", "sequential_fc_stage5")
_BALANCE = ("balanced_weighted", "balanced_top1")

#: Trainings that each table or figure wants.
WANTED: dict[str, tuple[str, ...]] = {
    "2": (),
    "3": _STAGES,
    "4": ("stage4", "independent12", "independent5", "independent1"),
    "5": (*_OURS, "rendered_weighted", "rendered_top1"),
    "6": ("shared", *_OURS),
    "7": ("shared", *_OURS),
    "8": ("known", *_OURS),
    "9": (*_TUNED, *_OURS, "shared", "independent"),
    "10": (*_OURS, *_BALANCE),
    "11": ("before", *_BALANCE),
    "12": (*_OURS, "lambda1_weighted", "lambda1_top1"),
    "13": ("top1",),
    "heads": tuple(name for name in TRAININGS if name.startswith("head_")),
    "fusion": _OURS,
    "figure 5": _STAGES,
}


def wanted(tables: Sequence[str]) -> list[str]:
    """Return the trainings of tables, each once."""
    return list(dict.fromkeys(name for table in tables for name in WANTED.get(table, ())))


def first_resnet(config: Paper001Config) -> ObjectsConfig:
    """Return the settings of the ResNet that stands in for published weights.

    Its first step has the time of one whole training; the others are not made.
    """
    return with_time(config.training(), "features", 60.0 * config.minutes)


def with_time(settings: ObjectsConfig, step: str, seconds: float) -> ObjectsConfig:
    """Return settings by which a step takes so long."""
    (share,) = (one.share for one in protocol(settings) if one.name == step)
    return replace(settings, max_seconds=round(seconds / share, 3))


def trains_first(config: Paper001Config, categories: int) -> bool:
    """Return whether a ResNet is trained to tell the categories before all trainings."""
    return bool(protocol(config.training(), categories)[0].trains)


def planned_seconds(config: Paper001Config, names: Sequence[str], categories: int) -> float:
    """Return how long trainings take together, steps that they share counted once.

    Args:
        config: Its budget; without one, 0.
        names: Of :data:`TRAININGS`.
        categories: How many there are.
    """
    seconds: dict[str, float] = {}
    start = config.weights
    if names and trains_first(config, categories):
        start, seconds[""] = _FIRST, 60.0 * config.minutes
    for name in names:
        training = TRAININGS[name]
        settings = training.settings(config, start)
        before = ""
        for step in protocol(settings, categories):
            made_by = step_settings(step, settings)
            before = step_key(step, made_by, before, "", "rendered" if training.rendered else "")
            seconds[before] = settings.max_seconds * step.share
            if step.name == training.until:
                break
    return sum(seconds.values())
