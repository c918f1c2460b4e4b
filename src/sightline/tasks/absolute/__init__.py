"""Absolute camera pose of one image in a known place: PoseNet, MapNet, refinement by the map."""

from sightline.tasks import Task

TASK = Task(
    name="absolute",
    summary="absolute camera pose: PoseNet and MapNet (paper 000)",
    config="sightline.tasks.absolute.config:AbsoluteConfig",
    data="sightline.records.place:Place.open",
    data_help="A built place.",
    train="sightline.tasks.absolute.task:train",
    scoring="sightline.tasks.absolute.scoring:AbsoluteScoring",
    subject_help="A run folder, such as myplace/runs/NAME.",
    evaluate="sightline.tasks.absolute.scoring:score",
    table="sightline.tasks.absolute.report:score_rows",
)
