"""Relative pose: two images in, rotation and translation out (papers 002 and 000)."""

from sightline.tasks import Task

TASK = Task(
    name="relative",
    summary="relative pose of two images: Siamese CNNs, MeNet, classical (paper 002)",
    config="sightline.tasks.relative.config:RelativeConfig",
    data="sightline.datasets.pairs:open_pairs",
    data_help="Image pairs: a pair set (`sightline render rooms`), a place, a COLMAP model ...",
    train="sightline.tasks.relative.task:train_relative",
    scoring="sightline.tasks.relative.scoring:RelativeScoring",
    subject_help="Run folders, and image pairs of any layout (see docs/pairs.md).",
    evaluate="sightline.tasks.relative.scoring:score",
    table="sightline.tasks.relative.report:score_rows",
)
