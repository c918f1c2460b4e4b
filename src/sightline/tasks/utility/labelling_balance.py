"""More images of the rarer class: cropped, mirrored copies, distorted anew and labelled again."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.media.distortions import Distortion
from sightline.records.utility import UtilityItem
from sightline.tasks.utility.labelling_plan import hash_share, seed_of
from sightline.tasks.utility.labelling_shards import Entry, Variant

#: The rarer class has at least this share of the other one's images when all went well.
ENOUGH = 0.9

_WHOLE = ("jpeg", "webp")


@dataclass(frozen=True)
class Balance:
    """What balancing did.

    Attributes:
        label: The rarer class; None where there was nothing to do or nothing to do it with.
        tried: Copies that the machines were asked about.
        items: Those that are of the rarer class: to be added.
        before: Training images by label, before.
        after: The same, afterwards.
    """

    label: int | None
    tried: int
    items: tuple[UtilityItem, ...]
    before: Mapping[int, int]
    after: Mapping[int, int]

    @property
    def note(self) -> str:
        """One sentence for people; empty where there is nothing to say."""
        words = {1: "useful", 0: "of no use"}
        if self.label is None:
            missing = [label for label in (1, 0) if not self.before.get(label)]
            if not missing:
                return ""
            which = " and ".join(words[label] for label in missing)
            return f"no training image is {which}: there was nothing to balance with"
        reached = self.after[self.label] >= ENOUGH * self.after[1 - self.label]
        return (
            f"balancing added {len(self.items)} copies that are {words[self.label]} ({self.tried} "
            f"tried): {self.after[1]} useful and {self.after[0]} of no use to train on"
            + ("" if reached else "; still unbalanced, more copies would repeat the same images")
        )


class Balancer:
    """Proposes copies round by round until the rarer class has enough, or none are left.

    Args:
        items: All labelled images; only those of the training part are copied.
        distortions: That were asked for: levels are drawn between them.
        copies: Most copies of one labelled image.
        seed: Of crops, levels and noise.
    """

    def __init__(
        self,
        items: Sequence[UtilityItem],
        distortions: Sequence[Distortion],
        copies: int,
        seed: int,
    ) -> None:
        train = [i for i in items if i.split == "train" and i.utility is not None]
        self._counts = Counter(int(i.utility) for i in train if i.utility is not None)
        self._before = dict(self._counts)
        self._seed, self._distortions = seed, distortions
        rarer = 1 if self._counts[1] < self._counts[0] else 0
        self._label = rarer if self._counts[rarer] and self._need(rarer) > 0 else None
        bases = [i for i in train if i.utility == self._label]
        bases.sort(key=lambda i: hash_share(f"{seed} {i.image.as_posix()} {i.distortion}"))
        self._waiting = iter(bases * copies)
        self._numbers: dict[str, int] = defaultdict(int)
        self._made: list[UtilityItem] = []
        self._tried = 0

    def rounds(self) -> Iterator[list[Entry]]:
        """Yield what is to be asked next; :meth:`add` must be told the labels before the next."""
        while self._label is not None and (need := self._need(self._label)) > 0:
            bases = [item for _, item in zip(range(need), self._waiting, strict=False)]
            if not bases:
                return
            accepted = len(self._made)
            yield self._entries(bases)
            if len(self._made) == accepted and len(bases) == need:
                return  # not one of a whole round: more of the same will not help

    def add(self, items: Sequence[UtilityItem]) -> None:
        """Take the labels of a round; copies of the rarer class stay."""
        self._tried += len(items)
        for item in items:
            if item.utility is not None and item.utility == self._label:
                self._made.append(item)
                self._counts[item.utility] += 1

    def result(self) -> Balance:
        """Return what was done."""
        made = tuple(self._made)
        return Balance(self._label, self._tried, made, self._before, dict(self._counts))

    def _need(self, label: int) -> int:
        return math.ceil(ENOUGH * self._counts[1 - label]) - self._counts[label]

    def _entries(self, bases: Sequence[UtilityItem]) -> list[Entry]:
        """Return the copies of a round, an entry an image; ``asked`` is for the caller to fill."""
        variants: dict[str, list[Variant]] = {}
        for base in bases:
            image = base.image.as_posix()
            self._numbers[image] += 1
            number = self._numbers[image]
            seed = seed_of(self._seed, image, number)
            level = jittered(base.distortion, self._distortions, seed)
            variants.setdefault(image, []).extend(
                (Variant(Distortion("none"), seed, number), Variant(level, seed, number))
            )
        return [Entry(image, (), tuple(made)) for image, made in variants.items()]


def jittered(own: Distortion, given: Sequence[Distortion], seed: int) -> Distortion:
    """Return a distortion of the same kind with a level between the given ones around it.

    Half of the copies keep the level. That of the others is drawn evenly on a logarithmic scale,
    from half the way to the next lower one to half the way to the next higher one.
    """
    random = np.random.default_rng([seed, 2])
    if random.integers(2):
        return own
    levels = sorted({one.level for one in given if one.kind == own.kind} | {own.level})
    place = levels.index(own.level)
    low, high = levels[max(0, place - 1)], levels[min(len(levels) - 1, place + 1)]
    ends = (math.log(low * own.level) / 2, math.log(own.level * high) / 2)
    level = math.exp(random.uniform(*ends))
    level = round(level) if own.kind in _WHOLE else float(f"{level:.3g}")
    return Distortion(own.kind, min(max(level, levels[0]), levels[-1]))
