"""Folders of labels as what is judged: what they hold, and the truth of their images."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from sightline.datasets.depth import open_depth
from sightline.errors import InputError
from sightline.records.depth import DepthSet
from sightline.records.depth_labels import (
    LABELS_TOML,
    NO_LABEL,
    SKIPPED_CSV,
    is_label_folder,
    read_skipped,
    shard_folders,
    shard_summary,
)
from sightline.records.files import read_toml


def is_labels(data: DepthSet) -> bool:
    """Return whether all depth of a set was written by networks."""
    labelled = [item for item in data.items if item.depth is not None]
    return bool(labelled) and all(item.labelled_by for item in labelled)


def label_counts(labels: DepthSet) -> dict[str, Any]:
    """Return what a set of labels holds.

    Returns:
        ``set``, ``folder``, ``labelled``, ``skipped``, ``skipped_reasons`` (counted),
        ``seconds`` that the labelling took and ``images_per_second`` (None where the folder does
        not say), ``quantity``, ``labelled_by``, ``left_out`` and ``notes`` of reading it.
    """
    labelled = [item for item in labels.items if item.depth is not None]
    skipped: list[tuple[str, str]] = []
    reasons: Counter[str] = Counter()
    seconds: float | None = None
    if is_label_folder(labels.root):
        shards = shard_folders(labels.root)
        skipped = [row for shard in shards for row in read_skipped(shard / SKIPPED_CSV)]
        photos = Path(read_toml(labels.root / LABELS_TOML)["source"]["root"])
        reasons.update(reason.replace(str(photos / image), "it") for image, reason in skipped)
        seconds = sum(float(shard_summary(shard).get("seconds", 0.0)) for shard in shards)
    return {
        "set": labels.name,
        "folder": str(labels.root),
        "labelled": len(labelled),
        "skipped": len(skipped) + len(labels) - len(labelled),
        "skipped_reasons": dict(reasons),  # without paths, equal ones are counted together
        "seconds": seconds,
        "images_per_second": len(labelled) / seconds if seconds else None,
        "quantity": labelled[0].quantity,
        "labelled_by": sorted({item.labelled_by for item in labelled}),
        "left_out": {why: count for why, count in labels.left_out if why != NO_LABEL},
        "notes": list(labels.notes),
    }


def labelled_truth(labels: DepthSet) -> DepthSet | None:
    """Return the set whose images were labelled, where it has measured depth; else None."""
    if not is_label_folder(labels.root):
        return None
    try:
        recorded = Path(str(read_toml(labels.root / LABELS_TOML)["source"]["path"]))
        source = open_depth(recorded)
    except (InputError, KeyError):
        return None  # photos without depth, or gone: there is nothing to judge labels by
    images = {labels.path(item.image).resolve() for item in labels.items}
    measured = (
        not item.labelled_by
        and item.depth is not None
        and item.quantity == "depth"
        and source.path(item.image).resolve() in images
        for item in source.items
    )
    return source if any(measured) else None
