"""What localisation needs of a map, in memory-mapped arrays: descriptors of the map's points."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.errors import PlaceError
from sightline.geometry import Camera, Pose
from sightline.reconstruction.retrieval import PlaceVocabulary
from sightline.records import Place
from sightline.records.colmap import MapModel, read_model
from sightline.records.files import atomic_path, digest, digest_files, write_json

_ARRAYS = (
    "descriptors",
    "point_rows",
    "starts",
    "points",
    "global_descriptors",
    "q_wxyz",
    "centers",
)


@dataclass(frozen=True, eq=False)
class MapIndex:
    """The map's points as seen by its frames, ready for matching.

    Attributes:
        names: F frame names.
        world_from_cam: (F,) poses in the map's own frame.
        starts: (F + 1,) frame f owns rows ``starts[f]:starts[f + 1]`` of the observations.
        descriptors: (T, 128) uint8 SIFT descriptors of the observations.
        point_rows: (T,) row in ``points`` of each observation.
        points: (P, 3) map points, in the map's own frame.
        global_descriptors: (F, D) appearance of each frame.
        vocabulary: What made the global descriptors.
        camera: The map's camera (the first frame's, where there are several).
        typical_similarity: Appearance similarity that 99% of the map's own frames reach with their
            best neighbour; a photo far below it was not taken here.
    """

    names: list[str]
    world_from_cam: Pose
    starts: NDArray[np.int64]
    descriptors: NDArray[np.uint8]
    point_rows: NDArray[np.int64]
    points: NDArray[np.float64]
    global_descriptors: NDArray[np.float32]
    vocabulary: PlaceVocabulary
    camera: Camera
    typical_similarity: float

    @classmethod
    def open(cls, place: Place) -> MapIndex:
        """Return the place's index, made on first use and kept in ``cache/``.

        Raises:
            PlaceError: The place has no reconstruction, or one that a build is just remaking.
        """
        if not place.model_dir.is_dir() or not place.database_path.is_file():
            raise PlaceError(
                f"{place.root} has no reconstruction; run `sightline build` to localise by its map"
            )
        key = digest("map-index-3", digest_files(sorted(place.model_dir.glob("*.bin"))))
        folder = place.cache_dir / f"map-index-{key}"
        if not (folder / "index.json").is_file():
            _write_index(place, folder)
            for other in place.cache_dir.glob("map-index-*"):
                if other != folder:  # of a map that is no more
                    shutil.rmtree(other, ignore_errors=True)
        return _read_index(folder)

    def observations(self, frame: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Return one frame's (n, 128) descriptors and (n,) point rows."""
        rows = slice(int(self.starts[frame]), int(self.starts[frame + 1]))
        return self.descriptors[rows], self.point_rows[rows]

    def without_frames(self, names: set[str]) -> MapIndex:
        """Return the index without some frames' observations (for scores on frames left out)."""
        keep = np.array([n not in names for n in self.names])
        counts = np.diff(self.starts)
        rows = np.repeat(keep, counts)
        kept = np.flatnonzero(keep)
        return MapIndex(
            names=[self.names[i] for i in kept],
            world_from_cam=self.world_from_cam[kept],
            starts=np.r_[0, np.cumsum(counts[keep])].astype(np.int64),
            descriptors=self.descriptors[rows],
            point_rows=self.point_rows[rows],
            points=self.points,
            global_descriptors=self.global_descriptors[kept],
            vocabulary=self.vocabulary,
            camera=self.camera,
            typical_similarity=self.typical_similarity,
        )


def _write_index(place: Place, folder: Path) -> None:
    model = read_model(place.model_dir)
    names = sorted(model.frames)
    everything = read_descriptors(place.database_path, names)
    _check_features(place, model, everything)
    arrays = _observation_arrays(model, names, everything)
    sample = np.concatenate([d[:: max(1, len(d) // 500)] for d in everything.values()])
    vocabulary = PlaceVocabulary.fit(sample, seed=0)
    appearance = np.stack([vocabulary.describe(everything[n]) for n in names]).astype(np.float32)
    poses = Pose.stack([model.frames[n].world_from_cam for n in names])
    arrays |= {
        "points": model.points,
        "global_descriptors": appearance,
        "q_wxyz": poses.q_wxyz,
        "centers": poses.translation,
    }
    # With every second frame as a query, "typical" has the spacing a visitor's photo meets.
    similarity = appearance[1::2] @ appearance[::2].T if len(names) > 2 else np.ones((1, 1))
    camera = model.cameras[model.frames[names[0]].camera_id]
    with atomic_path(folder) as temporary:
        temporary.mkdir()
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", arrays[name], allow_pickle=False)
        vocabulary.save(temporary / "vocabulary.npz")
        write_json(
            temporary / "index.json",
            {
                "names": names,
                "camera": {
                    "model": camera.model,
                    "width": camera.width,
                    "height": camera.height,
                    "params": list(camera.params),
                },
                "typical_similarity": float(np.quantile(similarity.max(axis=1), 0.01)),
            },
        )


def _check_features(
    place: Place, model: MapModel, descriptors: dict[str, NDArray[np.uint8]]
) -> None:
    """Refuse a database whose features are no longer the map's: rows would name other points."""
    for name, frame in model.frames.items():
        if len(descriptors.get(name, ())) != len(frame.point_ids):
            raise PlaceError(
                f"the features of {name} in {place.database_path} are not those of the map beside "
                "it; finish `sightline build` (it resumes)"
            )


def _observation_arrays(
    model: MapModel, names: list[str], descriptors: dict[str, NDArray[np.uint8]]
) -> dict[str, Any]:
    order = np.argsort(model.point_ids)
    sorted_ids = model.point_ids[order]
    kept_descriptors, kept_rows, counts = [], [], []
    for name in names:
        ids = model.frames[name].point_ids
        has_point = np.flatnonzero(ids >= 0)
        kept_descriptors.append(descriptors[name][has_point])
        kept_rows.append(order[np.searchsorted(sorted_ids, ids[has_point])])
        counts.append(len(has_point))
    return {
        "descriptors": np.concatenate(kept_descriptors),
        "point_rows": np.concatenate(kept_rows).astype(np.int64),
        "starts": np.r_[0, np.cumsum(counts)].astype(np.int64),
    }


def _read_index(folder: Path) -> MapIndex:
    content = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    camera = content["camera"]
    return MapIndex(
        names=content["names"],
        world_from_cam=Pose(np.array(arrays["q_wxyz"]), np.array(arrays["centers"])),
        starts=np.array(arrays["starts"]),
        descriptors=arrays["descriptors"],
        point_rows=arrays["point_rows"],
        points=np.array(arrays["points"]),
        global_descriptors=np.array(arrays["global_descriptors"]),
        vocabulary=PlaceVocabulary.load(folder / "vocabulary.npz"),
        camera=Camera(camera["model"], camera["width"], camera["height"], tuple(camera["params"])),
        typical_similarity=content["typical_similarity"],
    )


def read_descriptors(database: Path, names: list[str]) -> dict[str, NDArray[np.uint8]]:
    """Return (M, 128) uint8 descriptors of the named frames, in keypoint order."""
    import pycolmap

    wanted = set(names)
    with pycolmap.Database.open(database) as db:
        return {
            image.name: np.asarray(db.read_descriptors(image.image_id).data, dtype=np.uint8)
            for image in db.read_all_images()
            if image.name in wanted
        }
