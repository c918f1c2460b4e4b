"""How much of what was matched a map explains: a bent map gives itself away without any truth."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sightline.reconstruction.database import inlier_matches, open_database
from sightline.records.colmap import MapModel

#: A frame of whose matches the map explains less is doubted. Maps of rendered floors and of real
#: video that are right explain 84% or more of every frame's; those that bend at a corner, and are
#: 2 m off, explain 58 to 67% there.
DOUBTED_SHARE = 0.8
#: A frame with fewer matches says nothing.
_ENOUGH_MATCHES = 100


@dataclass(frozen=True)
class Agreement:
    """How much of what was matched a map explains.

    A verified match is explained where both frames are in the map, the two points lie within the
    largest error of the epipolar lines that their poses ask for, and the rays meet in front of
    both, or are parallel within that error.

    Attributes:
        share: Of all verified matches, those of frames that are not in the map among them.
        frames: Name -> the same of a frame's matches with other frames of the map, for all frames
            with matches enough.
    """

    share: float = 0.0
    frames: dict[str, float] = field(default_factory=dict)

    @property
    def doubted(self) -> list[str]:
        """Frames that do not stand as their matches say, the worst first."""
        below = [name for name, share in self.frames.items() if share < DOUBTED_SHARE]
        return sorted(below, key=lambda name: (self.frames[name], name))

    def to_json(self) -> dict[str, Any]:
        """Return the share, and those of the doubted frames, as JSON values."""
        doubted = {name: round(self.frames[name], 4) for name in self.doubted}
        return {"share": round(self.share, 4), "doubted": doubted}


def measure_agreement(database_path: str | Path, model: MapModel, max_error_px: float) -> Agreement:
    """Return how much of the verified matches in COLMAP's database a map explains.

    Args:
        database_path: The database that the map was made of.
        model: The map.
        max_error_px: Largest Sampson distance of a match, in pixels of the images.
    """
    import pycolmap

    from sightline.reconstruction.two_view.estimation import Matches, inlier_mask

    matched = explained = 0
    of_frame: dict[str, Any] = defaultdict(lambda: np.zeros(2, np.int64))
    with open_database(database_path) as database:
        names = {image.image_id: str(image.name) for image in database.read_all_images()}
        pair_ids, counts = database.read_two_view_geometry_num_inliers()
        for pair_id, count in zip(pair_ids, counts, strict=True):
            matched += int(count)
            ids = pycolmap.pair_id_to_image_pair(pair_id)
            a, b = (model.frames.get(names[i]) for i in ids)
            if not count or a is None or b is None:
                continue
            rows = inlier_matches(database, *ids)
            cameras = (model.cameras[a.camera_id], model.cameras[b.camera_id])
            points_px = (a.keypoints_px[rows[:, 0]], b.keypoints_px[rows[:, 1]])
            matches = Matches.of(*points_px, cameras, (1.0 / max_error_px, 1.0 / max_error_px))
            b_from_a = b.world_from_cam.inverse() @ a.world_from_cam
            agree = int(inlier_mask(b_from_a, matches, 1.0).sum())
            explained += agree
            for frame in (a, b):
                of_frame[frame.name] += (agree, len(rows))
    shares = {
        name: float(agree / count)
        for name, (agree, count) in sorted(of_frame.items())
        if count >= _ENOUGH_MATCHES
    }
    return Agreement(explained / max(matched, 1), shares)
