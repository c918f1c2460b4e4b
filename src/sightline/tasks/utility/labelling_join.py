"""Answers into labels: what the machines said of each distorted image, joined to one label."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.datasets.utility_splits import draw_splits
from sightline.errors import InputError
from sightline.records.utility import (
    Box,
    MachineLabel,
    Operator,
    PristineImage,
    PristineSet,
    Thresholds,
    UtilityItem,
)
from sightline.tasks.utility.copies import crop_of
from sightline.tasks.utility.definition import (
    classification_labels,
    combined,
    detection_label,
    pristine_objects,
)
from sightline.tasks.utility.labelling_plan import class_indices, source_of
from sightline.tasks.utility.labelling_predictions import NO_CLASS, ClassAnswer, Predictions
from sightline.tasks.utility.labelling_shards import PRISTINE, Entry, Variant
from sightline.tasks.utility.machines.machine import Classified, Machine


@dataclass(frozen=True, eq=False)
class Judgement:
    """What is needed beside the answers to make labels.

    Attributes:
        data: The pristine images.
        machines: Who answered.
        thresholds: Of the definition.
        operator: How labels are joined.
        splits: By source.
        classes: Each machine's indices of the data's classes.
        images: The data's images by name.
    """

    data: PristineSet
    machines: tuple[Machine, ...]
    thresholds: Thresholds
    operator: Operator
    splits: Mapping[str, str]
    classes: tuple[tuple[int, ...], ...]
    images: Mapping[str, PristineImage]

    @classmethod
    def of(
        cls,
        data: PristineSet,
        machines: Sequence[Machine],
        thresholds: Thresholds,
        operator: Operator,
        seed: int,
    ) -> Judgement:
        """Return the judgement of a set's images; ``seed`` is that of splits which are drawn.

        Raises:
            InputError: The splits cut through a source, or a machine knows none of the classes.
        """
        return cls(
            data,
            tuple(machines),
            thresholds,
            operator,
            {source_of(image): image.split for image in draw_splits(data, seed).images},
            tuple(class_indices(data, machine) for machine in machines),
            {image.image.as_posix(): image for image in data.images},
        )

    def split_of(self, image: str) -> str:
        """Return the split of an image by its name."""
        return self.splits[source_of(self.images[image])]

    def items(
        self, entries: Iterable[Entry], answers: Sequence[Predictions], contents: Mapping[str, str]
    ) -> list[UtilityItem]:
        """Return the labels of all distorted images of some entries, in their order.

        Args:
            entries: What was asked.
            answers: Each machine's.
            contents: Digest of each image's content; an image that is not there is passed over.
        """
        found: list[UtilityItem] = []
        for entry in entries:
            content = contents.get(entry.image)
            if content:
                found += self._of_entry(entry, answers, content)
        return found

    def _of_entry(
        self, entry: Entry, answers: Sequence[Predictions], content: str
    ) -> list[UtilityItem]:
        rows = [
            [said.row(question) for question in entry.questions(m, content)]
            for m, said in enumerate(answers)
        ]
        image = self.images[entry.image]
        source = source_of(image)
        found: list[UtilityItem] = []
        pristine = 0
        for k, variant in enumerate(entry.variants):
            if variant.distortion.kind == "none":
                pristine = k
                continue
            labels = tuple(
                self._label(m, image, variant, answers[m], rows[m][pristine], rows[m][k])
                for m in range(len(answers))
            )
            first = rows[0][k]
            found.append(
                UtilityItem(
                    image.image,
                    variant.distortion,
                    variant.seed,
                    variant.augmented,
                    self.splits[source],
                    source,
                    0 if first is None else answers[0].made(first).bytes,
                    combined(labels, self.operator),
                    labels,
                )
            )
        return found

    def _label(
        self,
        machine: int,
        image: PristineImage,
        variant: Variant,
        answers: Predictions,
        before: int | None,
        after: int | None,
    ) -> MachineLabel:
        if before is None or after is None:  # refused by the machine: the caller leaves it out
            return MachineLabel(None, math.nan, math.nan, math.nan)
        if answers.kind == "classification":
            return class_label(
                answers.classified(before), answers.classified(after), self.thresholds
            )
        pristine, distorted = answers.detected(before), answers.detected(after)
        if self.data.has_boxes:
            boxes, labels = self._truth(machine, image, variant, _size(answers, before))
        else:
            boxes, labels = pristine_objects(pristine, self.thresholds)
        return detection_label(pristine, distorted, boxes, labels, self.thresholds)

    def _truth(
        self, machine: int, image: PristineImage, variant: Variant, size: tuple[int, int]
    ) -> tuple[Sequence[Box], Sequence[int]]:
        """Return the true boxes in a copy's pixels, and their classes as the machine counts.

        Args:
            machine: Its place.
            image: With its boxes.
            variant: The copy.
            size: Width and height of the pristine image, before any crop.
        """
        boxes: Sequence[Box] = image.boxes
        which: Sequence[int] = range(len(boxes))
        if variant.augmented:
            which, boxes = crop_of(variant.seed, *size).boxes(boxes)
        own = self.classes[machine]
        labels = [own[image.box_categories[k]] for k in which]
        known = [k for k, label in enumerate(labels) if label != NO_CLASS]
        return [boxes[k] for k in known], [labels[k] for k in known]


def _size(answers: Predictions, row: int) -> tuple[int, int]:
    """Return width and height of the whole pristine image that a row is about, or cropped from."""
    content = answers.columns["digest"][row].decode()
    whole = answers.row(PRISTINE.question(content, NO_CLASS))
    if whole is None:
        raise InputError(f"{answers.name}: the answer for a pristine image is gone; label again")
    made = answers.made(whole)
    return made.width, made.height


def class_label(
    pristine: ClassAnswer, distorted: ClassAnswer, thresholds: Thresholds
) -> MachineLabel:
    """Return what a classifier says of one distorted image, from what is kept of its answers."""
    if pristine.reference == NO_CLASS:
        return MachineLabel(None, math.nan, math.nan, math.nan, distorted.energy)
    before, after = _two_classes(pristine), _two_classes(distorted)
    return classification_labels(before, after, [1], thresholds)[0]


def _two_classes(answer: ClassAnswer) -> Classified:
    """Return an answer as that of a machine with two classes: another one, the one in question.

    Of several equal probabilities the first class counts, so the other one stands first.
    """
    right = answer.predicted == answer.reference
    other = 0.0 if right else answer.predicted_confidence
    return Classified(
        np.array([[other, answer.confidence]], np.float32), np.array([answer.energy], np.float32)
    )
