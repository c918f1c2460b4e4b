"""Objects: what an image shows, and how it is turned (paper 001)."""

from sightline.tasks import Task

TASK = Task(
    name="objects",
    summary="category and 3D pose of an object in a box (paper 001)",
    config="sightline.tasks.objects.config:ObjectsConfig",
    data="sightline.datasets.objects:open_objects",
    data_help="Objects with boxes: rendered (`sightline render objects`), PASCAL3D+, a CSV ...",
    train="sightline.tasks.objects.task:train_objects",
    scoring="sightline.tasks.objects.scoring:ObjectsScoring",
    subject_help="Run folders, and object sets of any layout (see docs/objects.md).",
    evaluate="sightline.tasks.objects.scoring:score",
    table="sightline.tasks.objects.report:score_rows",
    predictor="sightline.tasks.objects.photos:make_reader",
    options="sightline.tasks.objects.photos:ObjectsOptions",
)
