"""What ``sightline evaluate depth`` can be told, and what it does; imports without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sightline.errors import InputError
from sightline.learning.runs import CONFIG, WEIGHTS, is_run, read_run_table, trained_in
from sightline.records.depth_labels import is_label_folder
from sightline.records.files import digest

if TYPE_CHECKING:
    from sightline.records.depth import DepthSet
    from sightline.tasks.depth.maps import DepthModel

#: The weights that come with the package, where a name of weights is wanted.
BUNDLED = "bundled"
#: Predictors that never look, which are no weights but may be asked for like them.
BASELINES = ("constant", "row_mean")


@dataclass(frozen=True)
class DepthScoring:
    """What is judged, how, and where the results go."""

    split: Literal["auto", "test", "validation", "train", "all"] = "auto"
    """auto: test, else validation, else the whole set."""
    alignment: Literal["auto", "none", "median", "depth", "disparity"] = "auto"
    """How maps are brought to metres, image by image, before they are judged; none: they are not;
    median: one factor; depth, disparity: scale and shift by least squares in it. auto: metric maps
    as they are and in disparity, relative ones in disparity."""
    crop: Literal["auto", "none", "eigen", "eigen_kitti", "garg"] = "auto"
    """Part of the picture that is judged; auto: eigen for NYUv2, garg for KITTI, else all."""
    min_depth_m: float = 1e-3
    """Truth above this is judged; predictions below it are put there."""
    max_depth_m: float = 0.0
    """Truth below this is judged; predictions above it are put there. 0: 10 for NYUv2, 80 for
    KITTI; else image by image 10 where all its truth is nearer, 80 where not."""
    max_images: int | None = None
    """So many images of each set, drawn by a seed."""
    seed: int = 0
    """Of that draw."""
    weights: tuple[str, ...] = ()
    """More models: hub names, local folders, .onnx files; bundled: the package's own; constant,
    row_mean: only the predictors that never look."""
    baselines: bool = True
    """Also judge two predictors that never look: constant and row_mean."""
    baseline_data: Path | None = None
    """Fit those two on this set's training part; else on the judged images themselves: they then
    know what no predictor could. It hardly matters where scale and shift are fitted anyway."""
    resolution: float = 1.0
    """Sides of what networks see, over their own."""
    device: str = "cpu"
    """Where networks compute: cpu, cuda."""
    pictures: int = 3
    """Best and worst images a model in the report, so many of each."""
    out: Path | None = None
    """Where predictions, metrics and reports go; what is there is not computed again."""

    def __post_init__(self) -> None:
        if self.max_images is not None and self.max_images < 1:
            raise InputError(f"max_images of 1 or more is wanted, {self.max_images} came")
        if self.min_depth_m <= 0 or 0 < self.max_depth_m <= self.min_depth_m:
            raise InputError(
                "0 < min_depth_m < max_depth_m is wanted (max_depth_m 0: by the data), "
                f"{self.min_depth_m:g} and {self.max_depth_m:g} came"
            )
        if self.max_depth_m < 0 or self.pictures < 0:
            raise InputError("max_depth_m and pictures of 0 or more are wanted")


def score(
    subjects: Sequence[Path], scoring: DepthScoring, progress: Callable[[str, float], None]
) -> dict[str, Any]:
    """Return the metrics of runs on depth sets, see :func:`.evaluate.evaluate_models`.

    Every run is judged on every set; runs alone on what the first was trained on; sets alone by
    the network that comes with the package. A folder of labels is judged as a model is, on the
    sets beside it that have its images, alone on the set it was made of where that has depth; it
    is always counted.

    Args:
        subjects: Run folders, and whatever ``open_depth`` reads.
        scoring: What is judged.
        progress: Called with a stage text and a fraction.

    Raises:
        InputError: No subject, a run that has not ended, or a set that cannot be read.
        WeightsError: No run among the subjects, and none comes with the package.
    """
    from sightline.datasets.depth import open_depth
    from sightline.tasks.depth.evaluate import evaluate_sets
    from sightline.tasks.depth.label_scores import is_labels, labelled_truth

    if not subjects:
        raise InputError("a run folder or a depth set is wanted, nothing came")
    runs = [path for path in subjects if is_run(path)]
    for path in subjects:
        if path not in runs and (path / CONFIG).is_file() and not is_label_folder(path):
            raise InputError(
                f"{path}: a finished run is wanted, it has no {WEIGHTS}; "
                "the same `sightline train depth` goes on with it"
            )
    opened = [open_depth(path) for path in subjects if path not in runs]
    labels = [data for data in opened if is_labels(data)]
    sets = [data for data in opened if not is_labels(data)]
    if runs and not sets:
        sets = [run_depth(runs[0])]
    elif not sets:
        sets = [truth for truth in map(labelled_truth, labels) if truth is not None][:1]
    sources: list[str | Path | None] = [*runs]
    named = [name for name in scoring.weights if name not in BASELINES]
    sources += [None if name == BUNDLED else name for name in named]
    if not sources and not labels and not scoring.weights:
        sources = [None]
    models = [_load(source, scoring) for source in sources] if sets else []
    trained = [Path(source) for source in sources if source and is_run(Path(source))]
    sets = [_seen_in_training(data, trained, scoring) for data in sets]
    out = scoring.out or _default_out(subjects, runs)
    return evaluate_sets(models, sets, out, scoring, progress, labels=labels)


def run_depth(run_dir: Path) -> DepthSet:
    """Return the depth set that a run was trained on.

    Raises:
        InputError: It is neither around the run folder nor where it was.
    """
    from sightline.datasets.depth import open_depth

    recorded, name = (str(read_run_table(run_dir).get(key, "")) for key in ("folder", "set"))
    for place in trained_in(run_dir):
        tables = (place / f"{name}{suffix}" for suffix in (".csv", ".txt", ".tsv", ".lst"))
        table = next((file for file in tables if name and file.is_file()), place)
        try:
            return open_depth(table)
        except InputError:
            continue
    raise InputError(
        f"{run_dir} was trained on the images of {recorded or 'another machine'}, which are not "
        "there any more; name a depth set"
    )


def _seen_in_training(data: DepthSet, runs: Sequence[Path], scoring: DepthScoring) -> DepthSet:
    """Return a set with a note where runs are judged on images that they learned from."""
    from sightline.tasks.depth.evaluate import chosen_part

    learned = "train" if any(data.splits()) else ""  # a set without splits is all for training
    if not chosen_part(data, scoring.split)[0].splits().get(learned):
        return data
    root = data.root.resolve()
    notes = [
        f"{run.name} learned from these images, or some of them: it does worse on others"
        for run in runs
        if root in [place.resolve() for place in trained_in(run)]
    ]
    return replace(data, notes=(*data.notes, *notes))


def _load(source: str | Path | None, scoring: DepthScoring) -> DepthModel:
    from sightline.tasks.depth.models import load_model

    model: DepthModel = load_model(source, resolution=scoring.resolution, device=scoring.device)
    return model


def _default_out(subjects: Sequence[Path], runs: Sequence[Path]) -> Path:
    if len(runs) == 1:
        return runs[0] / "evaluation"
    return Path("runs") / f"depth-{digest([str(path.resolve()) for path in subjects])[:8]}"
