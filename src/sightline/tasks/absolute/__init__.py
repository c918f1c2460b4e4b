"""Absolute camera pose of one image in a known place: PoseNet, MapNet, refinement by the map."""

from sightline.tasks import Task

TASK = Task(
    name="absolute",
    summary="absolute camera pose: PoseNet and MapNet (paper 000)",
    config="sightline.tasks.absolute.config:AbsoluteConfig",
    train="sightline.tasks.absolute.task:train",
    evaluate="sightline.tasks.absolute.task:evaluate",
    table="sightline.tasks.absolute.report:score_rows",
)
