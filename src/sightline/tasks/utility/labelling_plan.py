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

#: The paper's 80-20; validation is drawn out of the 80.
TEST_SHARE, VALIDATION_SHARE = 0.2, 0.1

_WORDNET = re.compile(r"n\d{8}")


def source_of(image: PristineImage) -> str:
    """Return what an image was made of: itself where the data say nothing."""
    return image.source or image.image.as_posix()


def splits_by_source(data: PristineSet) -> dict[str, str]:
    """Return the split of each source; what the data give stays.

    Where they give none, a hash of the source's name draws 20 % for testing and 10 % for
    validation. Where they give some but no part for testing, their validation becomes it; where
    one for validation is missing then, a hash draws it out of the part for training.

    Raises:
        InputError: The data put one source into two splits.
    """
    given: dict[str, str] = {}
    for image in data.images:
        source = source_of(image)
        if given.setdefault(source, image.split) != image.split:
            raise InputError(
                f"{data.name}: all images of a source in one split are wanted; those of {source} "
                f"are in {given[source] or 'none'} and {image.split or 'none'}; correct the splits"
            )
    parts = set(given.values()) - {""}
    drawn = {source: _drawn(source) for source in given}
    if not parts:
        return drawn
    renamed = {"validation": "test"} if "test" not in parts else {}
    split = {source: renamed.get(part, part) or drawn[source] for source, part in given.items()}
    if "validation" not in split.values():
        # of what is not for testing, the same share as above
        share = VALIDATION_SHARE / (1 - TEST_SHARE)
        for source, part in split.items():
            if part == "train" and hash_share(f"validation {source}") < share:
                split[source] = "validation"
    return split


def _drawn(source: str) -> str:
    share = hash_share(source)
    if share < TEST_SHARE:
        return "test"
    return "validation" if share < TEST_SHARE + VALIDATION_SHARE else "train"


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
    (ImageNet has two cranes) the first means the first. WordNet's numbers of all 1000 classes of
    ImageNet stand in the order of its classifiers.

    Raises:
        InputError: None of the names agrees.
    """
    wanted, known = data.categories, machine.categories
    if not known:
        return tuple(range(len(wanted)))
    if len(wanted) == len(known) == 1000 and all(_WORDNET.fullmatch(name) for name in wanted):
        return tuple(range(1000))
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


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.casefold()).strip()


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
