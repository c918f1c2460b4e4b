"""What labelling can be told; imports without torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sightline.errors import InputError
from sightline.learning.config import refuse
from sightline.media.distortions import DEFAULT_LEVELS, Distortion, parse_distortion
from sightline.records.utility import Operator, Thresholds, UtilityTask
from sightline.tasks.utility.machines.machine import LEAST_SCORE

#: "9 different compression ratios", with commas between.
PAPER_QUALITIES = ",".join(f"{quality:g}" for quality in DEFAULT_LEVELS["jpeg"])


@dataclass(frozen=True)
class LabelOptions:
    """Which machines judge which distortions, and when an image is of use to them."""

    task: UtilityTask = "classification"
    """What the machines do."""
    models: str = ""
    """The machines, with commas between: names of torchvision (vgg19, vgg19:FILE), FILE.onnx,
    FILE.tflite, run folders, package.module:callable. The package's own small ones where empty:
    they know the rendered objects."""
    qualities: str = PAPER_QUALITIES
    """JPEG qualities, with commas between; none where empty."""
    distort: tuple[str, ...] = ()
    """More distortions, each KIND:LEVEL[,LEVEL..]: blur:1,2,4 noise:10,20 webp:5,20 downscale:2,4
    lowlight:0.1,0.3; KIND alone has levels from mild to heavy"""
    high: float = 0.9
    """Classification: of use where the class is right and its probability above this (T_H)."""
    low: float = 0.1
    """Classification: of no use where it is wrong and the right one's probability below this
    (T_L)."""
    iou: float = 0.5
    """Detection: overlap (intersection over union) from which a box is found."""
    score: float = 0.5
    """Detection: score from which a box counts, 0.05 at least."""
    recognition: float = 0.5
    """Recognition threshold of Eq. 2, for the operators mean and max."""
    operator: Operator = "common"
    """How the machines' labels become one: common (all agree), majority, mean, max."""
    balance: bool = True
    """Add copies of the rarer class to the training part, cropped, mirrored and labelled anew."""
    copies: int = 8
    """Balancing: most copies of one labelled image."""
    limit: int = 0
    """Take so many images only, drawn by the seed; 0 = all."""
    batch: int = 32
    """Images a call of a machine."""
    shard: int = 64
    """Pristine images whose answers are written together; a call that was stopped goes on from
    there."""
    ray: bool = False
    """Work on a Ray cluster, whose machines see images and labels at the same paths."""
    seed: int = 0
    """Of splits, noise and crops."""

    def __post_init__(self) -> None:
        wanted = {
            "high": 0 <= self.high < 1,
            "low": 0 < self.low <= self.high,
            "iou": 0 < self.iou <= 1,
            # below it machines' detections are not kept
            "score": LEAST_SCORE <= self.score <= 1,
            "recognition": 0 < self.recognition < 1,
            "copies": self.copies >= 1,
            "limit": self.limit >= 0,
            "batch": self.batch >= 1,
            "shard": self.shard >= 1,
            "seed": 0 <= self.seed < 2**31,
        }
        refuse(self, wanted)

    def thresholds(self) -> Thresholds:
        """Return what a decision must reach to count."""
        return Thresholds(self.high, self.low, self.recognition, self.score, self.iou)

    def specs(self) -> list[str]:
        """Return what ``models`` names, one by one."""
        return _parts(self.models)

    def distortions(self) -> tuple[Distortion, ...]:
        """Return what is done to each image, each once, in the order given; never ``none``.

        Raises:
            InputError: An unknown kind, a level that is no number, or nothing at all.
        """
        texts = [f"jpeg:{quality}" for quality in _parts(self.qualities)]
        for entry in self.distort:
            for part in entry.split():
                kind, _, levels = part.partition(":")
                given = _parts(levels) or [f"{level:g}" for level in DEFAULT_LEVELS.get(kind, ())]
                texts += [f"{kind}:{level}" for level in given] or [part]
        found = tuple(dict.fromkeys(parse_distortion(text) for text in texts))
        if not found or any(distortion.kind == "none" for distortion in found):
            raise InputError(
                "distortions are wanted, such as `--qualities 5,10` or `--distort blur:1,2`; "
                f"{', '.join(texts) or 'none'} came"
            )
        return found


def _parts(text: str) -> list[str]:
    return list(_filled(text.split(",")))


def _filled(parts: Iterable[str]) -> Iterable[str]:
    return (part.strip() for part in parts if part.strip())
