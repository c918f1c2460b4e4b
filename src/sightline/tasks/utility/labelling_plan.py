"""What is asked of which image: variants, seeds, splits by source, and whose class is whose."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence

from sightline.errors import InputError
from sightline.media.distortions import Distortion
from sightline.records.utility import PristineImage, PristineSet
from sightline.tasks.utility.labelling_predictions import NO_CLASS, OWN_ANSWER
from sightline.tasks.utility.labelling_shards import PRISTINE, Entry, Variant
from sightline.tasks.utility.machines.machine import Machine

#: As many classes as ImageNet's networks have; data sets with so many count them as those do.
_IMAGENET = 1000

#: What data sets call classes of which they know the index only.
_NAMELESS = re.compile(r"class \d+")


def source_of(image: PristineImage) -> str:
    """Return what an image was made of: itself where the data say nothing."""
    return image.source or image.image.as_posix()


def hash_share(text: str) -> float:
    """Return a number from 0 to 1 that only the text decides."""
    return (
        int.from_bytes(hashlib.sha256(text.encode(errors="surrogateescape")).digest()[:8]) / 2**64
    )


def seed_of(seed: int, image: str, augmented: int = 0) -> int:
    """Return the seed of an image's noise, or of an augmented copy's noise and crop: 31 bits."""
    return int(hash_share(f"{seed} {image} {augmented}") * 2**31)


def variants_of(image: str, distortions: Sequence[Distortion], seed: int) -> tuple[Variant, ...]:
    """Return the pristine image and its distorted copies."""
    own = seed_of(seed, image)
    return (PRISTINE, *(Variant(distortion, own) for distortion in distortions))


def entries_of(
    data: PristineSet, machines: Sequence[Machine], distortions: Sequence[Distortion], seed: int
) -> list[Entry]:
    """Return what is asked of each image of a set.

    Raises:
        InputError: A classifier knows none of the data's classes.
    """
    classes = [class_indices(data, machine) for machine in machines]
    return [
        Entry(
            name := image.image.as_posix(),
            tuple(
                asked_of(image, data, machine, own)
                for machine, own in zip(machines, classes, strict=True)
            ),
            variants_of(name, distortions, seed),
        )
        for image in data.images
    ]


def asked_of(
    image: PristineImage, data: PristineSet, machine: Machine, classes: Sequence[int]
) -> int:
    """Return whose probability a machine is asked for."""
    if machine.kind == "detection":
        return NO_CLASS
    if image.category is None:
        return NO_CLASS if data.has_classes else OWN_ANSWER
    return classes[image.category]


def class_indices(data: PristineSet, machine: Machine) -> tuple[int, ...]:
    """Return a machine's index of each of the data's classes, by name; ``NO_CLASS`` for none.

    Names are compared without case, and with blanks for ``_`` and ``-``; of several of one name
    the first means the first. Classes without names, and the 1000 of ImageNet (whose names are
    spelt in many ways), are those of the same index.

    Empty where the data do not say what the machine is asked for.

    Raises:
        InputError: None of the names agrees.
    """
    wanted, known = data.categories, machine.categories
    if not (data.has_boxes if machine.kind == "detection" else data.has_classes):
        return ()
    if not known:
        return tuple(range(len(wanted)))
    if len(wanted) == len(known) == _IMAGENET or all(map(_NAMELESS.fullmatch, wanted)):
        return tuple(k if k < len(known) else NO_CLASS for k in range(len(wanted)))
    places: dict[str, list[int]] = defaultdict(list)
    for index, name in enumerate(known):
        places[_plain(name)].append(index)
    seen: dict[str, int] = defaultdict(int)
    found: list[int] = []
    for name in map(_plain, wanted):
        own = places.get(name, [])
        found.append(own[min(seen[name], len(own) - 1)] if own else NO_CLASS)
        seen[name] += 1
    if wanted and all(index == NO_CLASS for index in found):
        raise InputError(
            f"a machine that knows classes of {data.name} ({_few(wanted)}) is wanted; "
            f"{machine.name} knows {_few(known)}; choose another, or pass images without classes"
        )
    return tuple(found)


def by_index(data: PristineSet, machines: Sequence[Machine]) -> tuple[str, ...]:
    """Return a note for each machine that says no names where the data do.

    Its classes are then those of the same index, which nobody can check.
    """
    if not data.categories or all(map(_NAMELESS.fullmatch, data.categories)):
        return ()
    return tuple(
        f"{machine.name} names no classes: its first is taken for {data.categories[0]!r}, and so "
        "on; `labels` in a .toml beside its file names them"
        for machine in machines
        if not machine.categories and class_indices(data, machine)
    )


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.casefold()).strip()


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
