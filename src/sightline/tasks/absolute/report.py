"""The table, the plots and the model card of a run, drawn from its saved files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sightline.geometry import Pose
from sightline.learning.fit import HISTORY, read_history
from sightline.records import Place, stack_poses
from sightline.records.figures import new_figure, save_figure
from sightline.records.files import read_toml, write_text
from sightline.records.tables import markdown_table
from sightline.tasks.absolute.metrics import (
    RECALL_THRESHOLDS,
    PoseErrors,
    Predictions,
    error_curve,
    nearest_frame,
    pose_errors,
    read_predictions,
    split_names,
)

_TRUE, _PREDICTED, _BASELINE = "#222222", "#d1495b", "#8d99ae"
_SPLIT_COLOURS = {"test": "#d1495b", "validation": "#edae49", "train": "#00798c", "walk": "#d1495b"}


def score_rows(metrics: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return the score table: a header, then each part and its nearest-frame baseline."""
    unit = metrics["unit"]
    names = ("frames of", "answer", f"median {unit}", "median deg", f"mean {unit}", "mean deg")
    rows: list[tuple[str, ...]] = [(*names, *_recall_names())]
    for split, table in metrics["splits"].items():
        leak = " (leak: between training frames)" if table.get("interleaved") else ""
        answered = f" ({table['answered']:.0%} answered)" if "answered" in table else ""
        rows.append((split + leak + answered, metrics["run"], *_score_cells(table)))
        if "pose_graph" in table:
            rows.append(("", "with the pose graph", *_score_cells(table["pose_graph"])))
        if "nearest_frame" in table:
            rows.append(("", "nearest training frame", *_score_cells(table["nearest_frame"])))
        if "nearest_frame_answered" in table:
            copied = _score_cells(table["nearest_frame_answered"])
            rows.append(("", "nearest training frame, of the answered", *copied))
    return rows


def write_plots(run_dir: Path, suffix: str, place: Place) -> list[Path]:
    """Draw error curves, loss curves and trajectories of a run's saved files; return the paths."""
    predictions = read_predictions(run_dir / f"predictions{suffix}.csv")
    training = stack_poses(place.registered("train"))
    plots = run_dir / "plots"
    made = [
        _draw_error_curves(plots / f"errors{suffix}.png", predictions, training, place.unit),
        _draw_trajectories(plots / f"trajectories{suffix}.png", predictions, place),
    ]
    if (run_dir / HISTORY).is_file():
        made.append(_draw_losses(plots / "losses.png", read_history(run_dir / HISTORY)))
    return made


def write_card(run_dir: Path) -> Path:
    """Write ``card.md``: what the model is, what it was made of, what it reached."""
    content = read_toml(run_dir / "config.toml")
    config, run = content["config"], content.get("run", {})
    doubts = config["model"] == "scene_coordinates"
    lines = [
        f"# {run_dir.name}: {config['model']}" + ("" if doubts else f" on {config['backbone']}"),
        "",
        f"Absolute camera pose of the place `{Path(run.get('place', '')).name}`: one RGB image in, "
        f"world_from_cam out (quaternion wxyz; centre in {run.get('unit')}).",
        "",
        f"- Input: {config['width']}x{config['height']} pixels, crop {config['crop']}",
        f"- Backbone weights: {run.get('backbone_weights')}"
        + (", frozen" if config["freeze"] else ", trained"),
        f"- Parameters: {run.get('trainable_parameters'):,} trained of "
        f"{run.get('total_parameters'):,}",
        f"- Trained on {run.get('training_frames')} frames, chosen on "
        f"{run.get('validation_frames')}; {run.get('epochs')} epochs, {run.get('seconds')} s, "
        f"best epoch {run.get('best_epoch')}, seed {config['seed']}",
        *_walk_lines(run, config),
        "- Knows this place only; "
        + (
            "an image in which too few cells agree gets no answer."
            if doubts
            else 'it answers for any image whatever: it has no "don\'t know".'
        ),
        "",
    ]
    for path in sorted(run_dir.glob("metrics*.json"), key=lambda p: (len(p.stem), p.stem)):
        metrics = json.loads(path.read_text(encoding="utf-8"))
        lines += [f"## {path.stem}", "", markdown_table(score_rows(metrics)), ""]
    write_text(run_dir / "card.md", "\n".join(lines))
    return run_dir / "card.md"


def _walk_lines(run: dict[str, Any], config: dict[str, Any]) -> list[str]:
    """Return the card's line on a walk without poses that was learned from."""
    if "unlabelled_frames" not in run:
        return []
    lengths = "lengths in the place's unit" if run["unlabelled_metric"] else "lengths without unit"
    return [
        f"- Learned beside them from {run['unlabelled_frames']} frames without poses of "
        f"`{Path(config['unlabelled']).name}`, weight {config['unlabelled_weight']:g}; motion: "
        f"{run['unlabelled_motion']}, {lengths}, known of {run['unlabelled_moving']} frames in "
        f"{run['unlabelled_pieces']} pieces"
    ]


def _recall_names() -> list[str]:
    return [f"within {metres:g}, {degrees:g} deg" for metres, degrees in RECALL_THRESHOLDS]


def _score_cells(table: dict[str, Any]) -> tuple[str, ...]:
    names = ("median_position", "median_rotation_deg", "mean_position", "mean_rotation_deg")
    if "recall" not in table:  # no frame was answered
        return ("-",) * (len(names) + len(RECALL_THRESHOLDS))
    errors = tuple(
        f"{table[name]:.3f}" if "pos" in name else f"{table[name]:.2f}" for name in names
    )
    return errors + tuple(f"{100 * share:.0f}%" for share in table["recall"].values())


def _draw_error_curves(path: Path, predictions: Predictions, training: Pose, unit: str) -> Path:
    figure, axes = new_figure(10, 4, 2)
    for split in split_names(predictions.all_splits):
        part = predictions.of_split(split)
        true = part.all_true
        colour = _SPLIT_COLOURS.get(split, _TRUE)
        errors = pose_errors(part.predicted, part.true)
        _curve(axes, errors, len(true), label=split or "frames", color=colour)
        if split in ("test", "walk"):
            copied = pose_errors(nearest_frame(true, training), true)
            style = {"color": _BASELINE, "linestyle": "--"}
            _curve(axes, copied, len(true), label=f"{split}: nearest training frame", **style)
    for axis, name in zip(axes, (f"position error ({unit})", "rotation error (deg)"), strict=True):
        axis.set_xlabel(name)
        axis.set_ylabel("share of frames within")
        axis.set_ylim(0, 1.02)
        axis.set_xlim(left=0)
        axis.grid(alpha=0.3)
    axes[0].legend(loc="lower right", fontsize=8)
    return save_figure(figure, path)


def _curve(axes: list[Any], errors: PoseErrors, frames: int, **style: Any) -> None:
    for axis, kind in zip(axes, (errors.position, errors.rotation_deg), strict=True):
        axis.plot(*error_curve(kind, frames=frames), **style)


def _draw_losses(path: Path, history: list[dict[str, float]]) -> Path:
    figure, axes = new_figure(10, 4, 2)
    epochs = [row["epoch"] for row in history]
    for name in (key for key in history[0] if key.startswith("train_")):
        axes[0].plot(epochs, [row[name] for row in history], label=name.removeprefix("train_"))
    axes[0].set_ylabel("training loss and its terms")
    axes[0].legend(fontsize=8)
    scored = [row for row in history if "validation_median_position" in row]
    if scored:
        at = [row["epoch"] for row in scored]
        axes[1].plot(at, [row["validation_median_position"] for row in scored], color=_PREDICTED)
        axes[1].set_yscale("log")
    axes[1].set_ylabel("validation: median position error")
    for axis in axes:
        axis.set_xlabel("epoch")
        axis.grid(alpha=0.3)
    return save_figure(figure, path)


def _draw_trajectories(path: Path, predictions: Predictions, place: Place) -> Path:
    shown = [s for s in split_names(predictions.all_splits) if s in ("test", "walk")]
    part = predictions.of_split(shown[0]) if shown else predictions
    figure, (axis,) = new_figure(7, 6, 1)
    plan = place.plan
    true, predicted = part.true.translation[:, :2], part.predicted.translation[:, :2]
    silent = part.unanswered_true.translation[:, :2]
    if plan is not None:
        with Image.open(plan.image) as picture:
            axis.imshow(np.asarray(picture.convert("RGB")), alpha=0.6)
        true, predicted, silent = plan.to_px(true), plan.to_px(predicted), plan.to_px(silent)
        axis.set_xlim(-0.5, plan.width - 0.5)
        axis.set_ylim(plan.height - 0.5, -0.5)
        axis.set_axis_off()
    else:
        axis.set_xlabel(f"x ({place.unit})")
        axis.set_ylabel(f"y ({place.unit})")
        axis.grid(alpha=0.3)
    axis.set_aspect("equal", adjustable="box")
    for a, b in zip(true, predicted, strict=True):
        axis.plot([a[0], b[0]], [a[1], b[1]], color=_PREDICTED, linewidth=0.6, alpha=0.5)
    axis.plot(*true.T, ".", color=_TRUE, markersize=4, label="true")
    axis.plot(*predicted.T, ".", color=_PREDICTED, markersize=4, label="predicted")
    if len(silent):
        axis.plot(*silent.T, "x", color=_BASELINE, markersize=4, label="no answer")
    axis.legend(loc="best", fontsize=8)
    axis.set_title(f"{shown[0] if shown else 'all'} frames: predicted and true positions")
    return save_figure(figure, path)
