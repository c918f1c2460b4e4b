"""Which pristine images are trained on: splits by source, and draws of fewer images."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace

import numpy as np

from sightline.datasets.leaks import refuse_leaks
from sightline.errors import InputError
from sightline.records.utility import PristineImage, PristineSet

#: Share of the sources for testing, as the paper has it, and of the others for validation.
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1


def draw_splits(data: PristineSet, seed: int = 0) -> PristineSet:
    """Return the set with every image in a split, all images of a source in one.

    What the data give stays. Sources without a split are put in the order of a hash of their name
    and the seed: the first fifth is for testing, a tenth of the others for validation, the rest to
    train on; one source at least each, where there are three. Where the data give training images
    but no test or no validation, that part is drawn from the training sources in the same way.

    Args:
        data: The set; an image without a source is one of its own.
        seed: Of the draw.

    Raises:
        InputError: A picture or a source is in two splits.
    """
    refuse_leaks(
        data.root, ((i.split, i.image.as_posix(), i.source) for i in data.images), "images"
    )
    parts = {source_of(image): image.split for image in data.images if image.split}
    given = [source for source, split in parts.items() if split == "train"]
    free = {source_of(image) for image in data.images} - parts.keys()
    parts |= _cut(free, {"test", "validation"}, seed)
    parts |= _cut(given, {"test", "validation"} - set(parts.values()), seed)
    images = tuple(replace(image, split=parts[source_of(image)]) for image in data.images)
    return replace(data, images=images)


def draw_images(data: PristineSet, count: int, seed: int = 0) -> PristineSet:
    """Return ``count`` images drawn at random, in their order; all where there are fewer.

    Raises:
        InputError: Less than one is wanted.
    """
    if count < 1:
        raise InputError(f"one image or more is wanted, {count} came")
    if len(data) <= count:
        return data
    chosen = np.sort(np.random.default_rng(seed).choice(len(data), count, replace=False))
    return replace(data, images=tuple(data.images[i] for i in chosen))


def source_of(image: PristineImage) -> str:
    """Return the name of an image's source: its own where it has none."""
    return image.source or f"/{image.image.as_posix()}"


def _cut(sources: Iterable[str], wanted: Collection[str], seed: int) -> dict[str, str]:
    """Return the part of each source: those wanted, and training."""
    ordered = sorted(sources, key=lambda source: _hash(source, seed))
    parts = dict.fromkeys(ordered, "train")
    if len(ordered) <= len(wanted):
        return parts
    start = 0
    for part, share in (("test", TEST_SHARE), ("validation", VALIDATION_SHARE)):
        if part in wanted:
            count = max(1, round(share * (len(ordered) - start)))
            parts |= dict.fromkeys(ordered[start : start + count], part)
            start += count
    return parts


def _hash(source: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {source}".encode("utf-8", "surrogateescape")).digest()
