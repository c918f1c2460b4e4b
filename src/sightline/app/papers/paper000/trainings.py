"""Which trainings each table and figure wants; what several want is made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sightline.app.papers.paper000.config import Loss, Model, Paper000Config
from sightline.app.papers.paper000.published import LABELS, LOSSES

MODELS: dict[Model, str] = {"posenet": "PoseNet", "mapnet": "MapNet"}
#: Losses of Tables II and IV.
TABLE_LOSS: dict[Model, Loss] = {"posenet": "smooth_l1", "mapnet": "l1"}
#: Backbones of Table III with Figures 6 and 7a, and of Figures 7b, 8 and 9.
OWN_BACKBONE: dict[Model, str] = {"posenet": "resnet152", "mapnet": "resnet34"}


@dataclass(frozen=True)
class Training:
    """One training of the reproduction.

    Attributes:
        model: PoseNet or MapNet.
        backbone: Its name.
        loss: Distance in the loss.
        alpha: Weight of the rotation (PoseNet) or of the relative poses (MapNet).
    """

    model: Model
    backbone: str
    loss: Loss
    alpha: float = 1.0

    @property
    def name(self) -> str:
        """The model and its backbone, as a person writes them."""
        return f"{MODELS[self.model]} ({label(self.backbone)})"

    @property
    def title(self) -> str:
        """All of it, in words."""
        weight = f", alpha {self.alpha:g}" if self.alpha != 1 else ""
        return f"{MODELS[self.model]} on {label(self.backbone)}, {self.loss}{weight}"


def of_backbones(config: Paper000Config, model: Model) -> list[Training]:
    """Return those of Table II or IV."""
    return [Training(model, name, TABLE_LOSS[model]) for name in config.names]


def of_losses(config: Paper000Config) -> dict[str, Training]:
    """Return those of Table III, by the keys of :data:`published.LOSSES`."""
    backbone = config.pick(OWN_BACKBONE["posenet"])
    return {
        key: Training("posenet", backbone, row.loss, config.alpha if row.weighted else 1.0)
        for key, row in LOSSES.items()
    }


def of_curves(config: Paper000Config, model: Model) -> list[Training]:
    """Return those of Figure 6 or 8: SmoothL1, then L1."""
    backbone = config.pick(OWN_BACKBONE[model])
    return [Training(model, backbone, "smooth_l1"), Training(model, backbone, "l1")]


def shown(config: Paper000Config, model: Model) -> Training:
    """Return the one whose predictions Figures 7 and 9 show."""
    return Training(model, config.pick(OWN_BACKBONE[model]), TABLE_LOSS[model])


def _both_shown(config: Paper000Config) -> list[Training]:
    return [shown(config, "posenet"), shown(config, "mapnet")]


_WANTED: dict[str, Callable[[Paper000Config], Sequence[Training]]] = {
    "table 2": lambda config: of_backbones(config, "posenet"),
    "table 3": lambda config: list(of_losses(config).values()),
    "table 4": lambda config: of_backbones(config, "mapnet"),
    "figure 6": lambda config: of_curves(config, "posenet"),
    "figure 7": _both_shown,
    "figure 8": lambda config: of_curves(config, "mapnet"),
    "figure 9": _both_shown,
}


def wanted(config: Paper000Config, sections: Sequence[str]) -> list[Training]:
    """Return the trainings of sections such as ``table 2``, each once."""
    makers = [_WANTED[section] for section in sections if section in _WANTED]
    return list(dict.fromkeys(one for make in makers for one in make(config)))


def label(backbone: str) -> str:
    """Return the paper's name of a backbone, or the backbone's own."""
    return LABELS.get(backbone, backbone)
