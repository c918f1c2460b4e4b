"""Utility: is this image any use to a machine? (paper 004)."""

from sightline.tasks import Task

TASK = Task(
    name="utility",
    summary="is an image of use to machines (paper 004)",
    config="sightline.tasks.utility.config:UtilityConfig",
    data="sightline.records.utility:read_labels",
    data_help="Folder of labels that `sightline label utility` wrote.",
    train="sightline.tasks.utility.task:train_utility",
    scoring="sightline.tasks.utility.scoring:UtilityScoring",
    subject_help="Run folders.",
    evaluate="sightline.tasks.utility.scoring:score",
    table="sightline.tasks.utility.report:score_rows",
    predictor="sightline.tasks.utility.photos:make_predictor",
    options="sightline.tasks.utility.photos:UtilityOptions",
    labeller="sightline.tasks.utility.labelling:label_images",
    label_options="sightline.tasks.utility.label_options:LabelOptions",
    label_help="Undistorted images and what they show: rendered objects, ImageNet, COCO, YOLO ...; "
    "a place for --task localization.",
)
