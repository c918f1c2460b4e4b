"""Features on masked pixels are dropped: what moves, or belongs to the camera, is no landmark."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.geometry.rotation import Array
from sightline.media.masks import Mask, mask_name, read_mask
from sightline.reconstruction.database import open_database
from sightline.reconstruction.stages import Report
from sightline.records.colmap import pixels_from_colmap
from sightline.records.files import digest_files

#: Beside the database: how many features of each frame were found, and how many kept.
MASKED_FEATURES = "masked_features.json"


def on_counting_pixels(counts: Mask, keypoints_px: Array) -> NDArray[np.bool_]:
    """Return (M,) whether keypoints lie on pixels that count.

    Args:
        counts: (H, W), False where the picture is ignored.
        keypoints_px: (M, 2) positions; pixel (0, 0) is the centre of the top-left pixel.
    """
    height, width = counts.shape
    x, y = np.rint(np.asarray(keypoints_px, dtype=np.float64).reshape(-1, 2).T).astype(np.int64)
    kept: NDArray[np.bool_] = counts[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    return kept


def masks_digest(masks_dir: Path, names: Sequence[str]) -> str:
    """Return a digest of the masks of some frames."""
    return digest_files(masks_dir / mask_name(name) for name in names)


def drop_masked(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Drop the features on masked pixels from a database; tell how many each frame had and keeps.

    Runs in the worker, before anything is matched. COLMAP's own reader drops the same ones
    (``mask_path``), but does not say how many.

    Args:
        request: ``database``, ``masks_dir`` (one mask a frame, of the frame's size), ``names`` of
            the frames; others of the database keep what they have.
        report: Progress.
    """
    import pycolmap

    counts: dict[str, list[int]] = {}
    kept: list[tuple[int, NDArray[np.float32], pycolmap.FeatureDescriptors]] = []
    with open_database(request["database"]) as database:
        images, masked = database.read_all_images(), set(request["names"])
        for done, image in enumerate(images):
            keypoints = database.read_keypoints(image.image_id)
            descriptors = database.read_descriptors(image.image_id)
            if str(image.name) in masked:
                mask = read_mask(Path(request["masks_dir"]) / mask_name(str(image.name)))
                rows = on_counting_pixels(mask, pixels_from_colmap(keypoints[:, :2]))
                counts[str(image.name)] = [len(rows), int(rows.sum())]
                keypoints, descriptors.data = keypoints[rows], descriptors.data[rows]
            kept.append((image.image_id, keypoints, descriptors))
            report("dropping masked features", (done + 1) / len(images))
        # The database knows no way to take back one image's descriptors.
        database.clear_keypoints()
        database.clear_descriptors()
        for number, keypoints, descriptors in kept:
            database.write_keypoints(number, keypoints)
            database.write_descriptors(number, descriptors)
    return counts


@dataclass(frozen=True)
class MaskedFeatures:
    """How many features were found on the frames of a place, and how many were not masked.

    Attributes:
        found: Frame name -> features.
        kept: Frame name -> features on pixels that count.
    """

    found: dict[str, int]
    kept: dict[str, int]

    @classmethod
    def read(cls, reconstruction_dir: Path) -> MaskedFeatures | None:
        """Return what the place's last build says; None where it had no masks."""
        path = reconstruction_dir / MASKED_FEATURES
        if not path.is_file():
            return None
        rows: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
        found = {name: counts[0] for name, counts in rows.items()}
        return cls(found, {name: counts[1] for name, counts in rows.items()})

    @property
    def dropped_share(self) -> float:
        """Share of all features that were dropped."""
        return 1.0 - sum(self.kept.values()) / max(1, sum(self.found.values()))


def dropped_shares(reconstruction_dir: Path) -> dict[str, float]:
    """Return the share of each frame's features that was dropped; nothing without masks."""
    counts = MaskedFeatures.read(reconstruction_dir)
    if counts is None:
        return {}
    return {name: 1.0 - counts.kept[name] / max(1, n) for name, n in counts.found.items()}
