"""Splits that a data set brings with it, and splits made by source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sightline.errors import InputError
from sightline.records.depth import DepthImage, DepthSet


def without_cut_sources(
    items: Sequence[DepthImage],
) -> tuple[tuple[DepthImage, ...], tuple[str, ...]]:
    """Return the items, and a note where the official split cuts through a source.

    Such a source is then not named: the split is what published figures are of, and stays.
    """
    parts: dict[str, set[str]] = defaultdict(set)
    for item in items:
        if item.split and item.source:
            parts[item.source].add(item.split)
    cut = {source for source, splits in parts.items() if len(splits) > 1}
    if not cut:
        return tuple(items), ()
    kept = tuple(replace(i, source="") if i.source in cut else i for i in items)
    return kept, (f"the official split cuts through {len(cut)} scenes (first: {min(cut)})",)


def split_by_source(data: DepthSet, validation: float = 0.1, seed: int = 0) -> DepthSet:
    """Return the set with a share of its training sources as validation.

    Images of no split count as training; those of validation and test stay. An image without a
    source is one of its own. The same set and seed give the same split.

    Args:
        data: The set.
        validation: Share of the sources, one at least.
        seed: Seed of the draw.

    Raises:
        InputError: There are fewer than two sources, or the share is none.
    """
    if not 0 < validation < 1:
        raise InputError(f"a share between 0 and 1 is wanted, {validation:g} came")
    items = [replace(i, split=i.split or "train") for i in data.items]
    sources = sorted({_source(i) for i in items if i.split == "train"})
    if len(sources) < 2:
        raise InputError(
            f"{data.root}: two sources or more are wanted to take a part for validation, there "
            f"is {len(sources)}; name them in the column `source` of a depth.csv"
        )
    count = min(max(1, round(validation * len(sources))), len(sources) - 1)
    drawn = np.random.default_rng(seed).permutation(len(sources))[:count]
    held = {sources[i] for i in drawn}
    chosen = tuple(
        replace(i, split="validation") if i.split == "train" and _source(i) in held else i
        for i in items
    )
    note = f"validation is {count} of {len(sources)} training sources, drawn with seed {seed}"
    return replace(data, items=chosen, notes=(*data.notes, note))


def _source(item: DepthImage) -> str:
    return item.source or f"/{item.image.as_posix()}"
