"""Table 1 and Fig. 9: does depth help to tell classes apart (Sec. 8)?"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.app.papers.paper003.config import Paper003Config
from sightline.app.papers.paper003.depth_pictures import DepthPictures, write_depth_pictures
from sightline.app.papers.paper003.drawing import draw_confusion, draw_curves
from sightline.app.papers.paper003.image_classes import (
    TRAIN,
    VALIDATION,
    ImageClasses,
    counts,
    open_image_classes,
    split_by_source,
    without,
)
from sightline.app.papers.paper003.mlp import MlpResult, MlpSettings, train_mlp
from sightline.app.papers.paper003.published import CLASSES, IMAGES, NOTES, TABLE_1
from sightline.app.papers.results import Section
from sightline.errors import InputError, WeightsError
from sightline.learning.backbones import Backbone
from sightline.learning.cache import FrameSize, cache_features, cache_frames
from sightline.learning.classifiers import create_classifier
from sightline.records.files import digest, write_json, write_text
from sightline.tasks.depth.maps import DepthModel

Progress = Callable[[str, float], None]
Features = NDArray[np.float32]

FOLDER = "classification"
#: RGB features twice: a network of the size that Depth+RGB has, without the depth.
CONTROL = "RGB+RGB (control)"
_SIZE = FrameSize(224, 224)
_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Study:
    """The images, their features and where everything of them lies.

    Attributes:
        folder: Of this data set under this depth model and classifier.
        data: With parts, images that do not read left out.
        features: (N, D) by the name of an experiment.
        left_out: Images that do not read, and why.
        notes: What was done, in sentences.
    """

    folder: Path
    data: ImageClasses
    features: Mapping[str, Features]
    left_out: tuple[tuple[Path, str], ...]
    notes: tuple[str, ...]


def classification_sections(
    config: Paper003Config, out: Path, load: Callable[[], DepthModel], progress: Progress
) -> list[Section]:
    """Return Table 1 and Fig. 9, measured on ``--images``.

    Args:
        config: What to do.
        out: Folder of results.
        load: Gives the depth model.
        progress: Called with a text and the fraction done.

    Raises:
        InputError: No images are given, or they are of fewer than two classes.
        WeightsError: The weights of the depth model or of the classifier cannot be had.
        TrainingError: A feature or a loss is not finite.
    """
    if config.images is None:
        raise InputError(
            "--table classification wants images: pass a folder with a folder for each class "
            "with --images FOLDER (the report's: 90 animals)"
        )
    classifier = _classifier(config)  # before anything long: its weights may be missing
    study = _prepare(config, config.images, out, load(), classifier, progress)
    results = _train_all(study, config, progress)
    _write_predictions(study, results)
    return _sections(study, results, config, out)


def _classifier(config: Paper003Config) -> Backbone:
    """Return the network whose outputs are the features.

    Raises:
        CatalogError: No such network.
        WeightsError: Its weights cannot be had; the message names the flag.
    """
    try:
        return create_classifier(config.classifier, config.classifier_weights, seed=config.seed)
    except WeightsError as error:
        raise WeightsError(str(error).replace("--weights", "--classifier-weights")) from error


def _prepare(
    config: Paper003Config,
    images: Path,
    out: Path,
    model: DepthModel,
    classifier: Backbone,
    progress: Progress,
) -> Study:
    """Return everything that the experiments start from, made where it is not there yet."""
    data = open_image_classes(images)
    files = [one.image for one in data.images]
    stats = [(data.root / file).stat() for file in files]
    state = [[f.as_posix(), s.st_size, s.st_mtime_ns] for f, s in zip(files, stats, strict=True)]
    folder = out / FOLDER / digest(str(data.root.resolve()), state)[:8]
    drawn_folder = folder / f"depth-{config.picture}-{digest(model.digest)[:8]}"
    drawn = write_depth_pictures(model, data.root, files, drawn_folder, config.picture, progress)
    data = without(data, [image for image, _ in drawn.left_out])
    rgb, depth, split, about = _features(
        config, data, drawn, classifier, folder / "cache", progress
    )
    made_by = (
        f"depth pictures ({config.picture}) of {model.name} in {drawn_folder.relative_to(out)}"
    )
    features = {
        "Depth": depth,
        "RGB": rgb,
        "Depth+RGB": np.concatenate([depth, rgb], axis=1),
        CONTROL: np.concatenate([rgb, rgb], axis=1),
    }
    return Study(folder, split, features, drawn.left_out, (made_by, about))


def _features(
    config: Paper003Config,
    data: ImageClasses,
    drawn: DepthPictures,
    classifier: Backbone,
    cache: Path,
    progress: Progress,
) -> tuple[Features, Features, ImageClasses, str]:
    """Return features of the photos and of the depth pictures, the split, and a note."""
    names = [one.image.as_posix() for one in data.images]
    photos = cache_frames(data.root, names, _SIZE, cache, progress=progress)
    pictures = cache_frames(
        drawn.folder, [drawn.name(one.image) for one in data.images], _SIZE, cache,
        progress=progress,
    )  # fmt: skip
    if not data.has_split:
        data = split_by_source(data, photos.array, config.validation, config.seed)
    both = [cache_features(classifier, frames, cache, progress=progress)
            for frames in (photos, pictures)]  # fmt: skip
    about = (
        f"features: the {classifier.features} outputs of {classifier.name}, weights "
        f"{classifier.weights_from}, computed once from the largest centred square at "
        f"{_SIZE.width} pixels, standardised by the training images"
    )
    return np.asarray(both[0]), np.asarray(both[1]), data, about


def _train_all(
    study: Study, config: Paper003Config, progress: Progress
) -> dict[str, list[MlpResult]]:
    """Return the trainings of each experiment, one a seed."""
    settings = MlpSettings(
        config.hidden, config.dropout, config.mlp_epochs, config.mlp_learning_rate, config.mlp_batch
    )
    data = study.data
    train, val = data.rows(TRAIN), data.rows(VALIDATION)
    labels = data.labels
    total = len(study.features) * config.seeds
    results: dict[str, list[MlpResult]] = {}
    for name, features in study.features.items():
        for seed in range(config.seed, config.seed + config.seeds):
            progress(f"classifier of {name}", (sum(map(len, results.values())) + 1) / (total + 1))
            result = train_mlp(
                (features[train], labels[train]),
                (features[val], labels[val]),
                len(data.classes),
                settings,
                seed,
            )
            results.setdefault(name, []).append(result)
    return results


def _write_predictions(study: Study, results: Mapping[str, Sequence[MlpResult]]) -> None:
    """Write the split, the answers for every validation image, and the curves."""
    data = study.data
    names = [(name, seed) for name, many in results.items() for seed in range(len(many))]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["image", "class", "split", *(f"{name}, training {s}" for name, s in names)])
    row_of = {int(row): i for i, row in enumerate(data.rows(VALIDATION))}
    for row, one in enumerate(data.images):
        said = [
            data.classes[results[name][s].predicted[row_of[row]]] if row in row_of else ""
            for name, s in names
        ]
        writer.writerow([one.image.as_posix(), data.classes[one.label], one.split, *said])
    write_text(study.folder / "predictions.csv", stream.getvalue())
    curves = {
        name: [{k: v for k, v in asdict(one).items() if k != "predicted"} for one in many]
        for name, many in results.items()
    }
    write_json(study.folder / "curves.json", curves)


def _sections(
    study: Study,
    results: Mapping[str, Sequence[MlpResult]],
    config: Paper003Config,
    out: Path,
) -> list[Section]:
    curves, confusion = "figures/figure-9.png", "figures/confusion.png"
    draw_curves(out / curves, results)
    matrix = _confusion(study.data, results["Depth+RGB"])
    draw_confusion(out / confusion, matrix, study.data.classes, "Depth+RGB, all trainings")
    chance = 1.0 / len(study.data.classes)
    rows = [row for name, many in results.items() for row in _rows(name, many)]
    part = counts(study.data)
    left_out = [f"left out: {reason}" for _, reason in study.left_out[:5]]
    if len(study.left_out) > 5:
        left_out.append(f"left out in all: {len(study.left_out)} images that do not read")
    table = Section(
        "table-1",
        "Table 1: depth for classification",
        ("experiment", "train loss", "val loss", "train accuracy", "val accuracy"),
        tuple(rows),
        (
            *_conclusions(study.data, results),
            f"here {part[TRAIN]} images to train and {part[VALIDATION]} for validation, "
            f"{len(study.data.classes)} classes, "
            + ("the folder's own parts" if study.data.has_split else
               "split by us, copies of one picture kept together")
            + f"; a random guess is right in {100 * chance:.1f}%; the report: {IMAGES} images of "
            f"{CLASSES} classes",
            *study.notes,
            f"{config.seeds} trainings of each experiment, mean and standard deviation over the "
            f"seeds; {config.mlp_epochs} epochs of Adam at {config.mlp_learning_rate:g}, hidden "
            f"layers of {config.hidden[0]} and {config.hidden[1]}, dropout {config.dropout:g} "
            "(sizes and rates are ours: the report gives none); scores of the last epoch",
            "train loss and accuracy are taken while training, with dropout on, as the report's "
            "must be (its validation is better)",
            f"{CONTROL}: the features of the photos twice, a network as large as Depth+RGB's",
            *left_out,
            *NOTES["table-1"],
        ),
        (confusion,),
        _values(results, matrix, study.data),
    )  # fmt: skip
    figure = Section(
        "figure-9",
        "Fig. 9: the trainings of Table 1",
        notes=("mean over the trainings, shaded from the least to the largest",),
        pictures=(curves,),
    )
    return [table, figure]


def _rows(name: str, many: Sequence[MlpResult]) -> list[tuple[str, ...]]:
    cells = (_cell([getattr(one, key)[-1] for one in many]) for key in _SCORES)
    rows = [(name, *cells)]
    if name in TABLE_1:
        paper = TABLE_1[name]
        rows.append((f"{name}: report", *(getattr(paper, key) for key in _SCORES)))
    return rows


_SCORES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy")


def _cell(values: Sequence[float]) -> str:
    spread = f" +- {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f}{spread}"


def _conclusions(data: ImageClasses, results: Mapping[str, Sequence[MlpResult]]) -> list[str]:
    """Return what the report concludes, and whether it holds for these numbers."""
    right = _right(data, results)
    mean = {name: float(hits.mean()) for name, hits in right.items()}
    chance = 1.0 / len(data.classes)
    val = len(data.rows(VALIDATION))
    said = [
        _verdict(
            "depth alone tells classes better than chance",
            mean["Depth"] - chance,
            _resampled(right["Depth"]),
            f"{mean['Depth']:.3f} against {chance:.3f}",
        )
    ]
    for other, claim in (
        ("RGB", "depth beside RGB raises the accuracy over RGB alone"),
        (CONTROL, "and over a network of the same size without depth"),
    ):
        difference = right["Depth+RGB"] - right[other]
        said.append(
            _verdict(
                claim,
                float(difference.mean()),
                _resampled(difference),
                f"{mean['Depth+RGB']:.3f} against {mean[other]:.3f}, "
                f"{round(float(difference.mean()) * val, 1) + 0.0:+.1f} of {val} images",
            )
        )
    return said


def _verdict(claim: str, margin: float, spread: float, figures: str) -> str:
    word = "holds here" if margin > 0 else "does not hold here"
    doubt = ", by less than the choice of the images does" if abs(margin) < spread else ""
    return f"{claim}: {word}{doubt}: {figures} (other images: +-{spread:.3f})"


def _right(
    data: ImageClasses, results: Mapping[str, Sequence[MlpResult]]
) -> dict[str, NDArray[np.float64]]:
    """Return (N,) the share of an experiment's trainings that are right, by validation image."""
    labels = data.labels[data.rows(VALIDATION)]
    return {
        name: np.mean([one.predicted == labels for one in many], axis=0)
        for name, many in results.items()
    }


def _resampled(values: NDArray[np.float64]) -> float:
    """Return half of the 95% interval of the mean over resampled images."""
    generator = np.random.default_rng(0)
    draws = generator.choice(values, (_RESAMPLES, len(values))).mean(axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    return float(high - low) / 2.0


def _confusion(data: ImageClasses, many: Sequence[MlpResult]) -> NDArray[np.int64]:
    """Return (C, C) counts over all trainings: rows are true classes, columns answers."""
    matrix = np.zeros((len(data.classes),) * 2, dtype=np.int64)
    labels = data.labels[data.rows(VALIDATION)]
    for one in many:
        np.add.at(matrix, (labels, one.predicted), 1)
    return matrix


def _values(
    results: Mapping[str, Sequence[MlpResult]], matrix: NDArray[np.int64], data: ImageClasses
) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: {key: [getattr(one, key)[-1] for one in many] for key in _SCORES}
        for name, many in results.items()
    }
    return values | {"classes": list(data.classes), "confusion": matrix.tolist()}
