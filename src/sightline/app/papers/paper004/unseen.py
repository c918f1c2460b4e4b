"""The machines that no predictor has met, trained here where none are named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sightline.app.papers.paper004.config import Paper004Config
from sightline.records.files import digest
from sightline.records.utility import PristineSet
from sightline.tasks.utility.small.config import SmallConfig

Progress = Callable[[str, float], None]

#: Families that the package's own machines are not of, as the paper's are AlexNet, ResNeXt and
#: EfficientNet, and Mask R-CNN, RetinaNet and Faster R-CNN on MobileNet.
ARCHITECTURES: dict[str, tuple[str, ...]] = {
    "classification": ("alexnet", "resnext", "efficientnet"),
    "detection": ("retinanet", "ssdlite"),
}


def train_unseen(
    task: Literal["classification", "detection"],
    data: PristineSet,
    folder: Path,
    config: Paper004Config,
    progress: Progress,
) -> tuple[str, ...]:
    """Return the run folders of machines trained on the pristine training part.

    Args:
        task: What they do.
        data: With parts; the test part is not looked at.
        folder: Where runs go.
        config: Their time, and the seed.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: There is no training part.
        TrainingError: A non-finite loss.
    """
    from sightline.tasks.utility.small.train import train_small

    made = []
    photos = [str(data.root.resolve()), *data.images]
    for architecture in ARCHITECTURES[task]:
        settings = SmallConfig(
            architecture=architecture,
            epochs=0,
            max_seconds=60.0 * config.machine_minutes,
            precision=config.precision,
            seed=config.seed,
        )
        # the last folder is the machine's name in tables: not that of the network it is small of
        run = folder / digest(settings, task, photos)[:8] / f"small-{architecture}"

        def said(stage: str, fraction: float, name: str = architecture) -> None:
            progress(f"unseen {name}, {stage}", fraction)

        made.append(str(train_small(architecture, data, settings, run, said)))
    return tuple(made)
