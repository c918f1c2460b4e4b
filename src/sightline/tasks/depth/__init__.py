"""Depth: how far every pixel is, learned from unlabelled images (paper 003)."""

from sightline.tasks import Task

TASK = Task(
    name="depth",
    summary="depth of every pixel, by teacher and student (paper 003)",
    config="sightline.tasks.depth.config:DepthConfig",
    data="sightline.datasets.depth:open_depth",
    data_help="Images with depth: rendered (`sightline render depth`), NYUv2, a list of yours ...",
    train="sightline.tasks.depth.task:train_depth",
    scoring="sightline.tasks.depth.scoring:DepthScoring",
    subject_help="Run folders, and depth sets of any layout (see docs/depth.md).",
    evaluate="sightline.tasks.depth.scoring:score",
    table="sightline.tasks.depth.report:score_rows",
    predictor="sightline.tasks.depth.photos:make_predictor",
    options="sightline.tasks.depth.photos:DepthOptions",
    exporter="sightline.tasks.depth.onnx_export:export_model",
    export_options="sightline.tasks.depth.onnx_options:OnnxOptions",
)
