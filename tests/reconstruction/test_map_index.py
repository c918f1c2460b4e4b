"""The localisation index against the COLMAP model and database it is made of."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from floor_place import FloorPlace
from sightline.errors import PlaceError
from sightline.reconstruction.map_index import MapIndex
from sightline.records import Place
from sightline.records.colmap import export_model, read_model

pytestmark = [pytest.mark.egl, pytest.mark.slow]


@pytest.fixture
def place(floor: FloorPlace, tmp_path: Path) -> Place:
    return Place.open(shutil.copytree(floor.root, tmp_path / "place"))


def test_each_observation_is_its_keypoint(floor: FloorPlace) -> None:
    import pycolmap

    index, model = MapIndex.open(floor.place), read_model(floor.place.model_dir)
    reconstruction = pycolmap.Reconstruction(str(floor.place.model_dir))
    xyz = {i: p.xyz for i, p in reconstruction.points3D.items()}
    assert index.names == sorted(model.frames)
    with pycolmap.Database.open(floor.place.database_path) as database:
        rows = {image.name: database.read_descriptors(image.image_id).data
                for image in database.read_all_images()}  # fmt: skip
    total = 0
    for f, name in enumerate(index.names):
        descriptors, points = index.observations(f)
        seen = [k for k, p in enumerate(model.frames[name].point_ids.tolist()) if p >= 0]
        assert len(descriptors) == len(points) == len(seen) > 50
        np.testing.assert_array_equal(descriptors, rows[name][seen])
        wanted = [xyz[int(model.frames[name].point_ids[k])] for k in seen]
        np.testing.assert_allclose(index.points[points], wanted)
        np.testing.assert_allclose(
            index.world_from_cam[f].translation, model.frames[name].world_from_cam.translation
        )
        total += len(seen)
    assert index.starts[-1] == total == model.track_lengths.sum()
    assert index.camera == model.cameras[model.frames[index.names[0]].camera_id]
    assert 0 < index.typical_similarity <= 1


def test_without_frames(floor: FloorPlace) -> None:
    index = MapIndex.open(floor.place)
    part = index.without_frames({index.names[0], index.names[5], "not there"})
    assert len(part.names) == len(index.names) - 2
    for f, name in enumerate(part.names):
        g = index.names.index(name)
        for ours, whole in zip(part.observations(f), index.observations(g), strict=True):
            np.testing.assert_array_equal(ours, whole)
        np.testing.assert_array_equal(part.global_descriptors[f], index.global_descriptors[g])


def test_made_again_only_for_another_map(place: Place, tmp_path: Path) -> None:
    (before,) = place.cache_dir.glob("map-index-*")
    stamp = (before / "index.json").stat().st_mtime_ns
    for path in place.model_dir.iterdir():
        path.touch()  # a copied place
    MapIndex.open(place)
    assert list(place.cache_dir.glob("map-index-*")) == [before]
    assert (before / "index.json").stat().st_mtime_ns == stamp
    export_model(place.model_dir, tmp_path / "moved", "binary", place.world_from_map)
    shutil.rmtree(place.model_dir)
    shutil.move(tmp_path / "moved", place.model_dir)
    index = MapIndex.open(place)
    (after,) = place.cache_dir.glob("map-index-*")
    assert after != before
    np.testing.assert_allclose(index.points, read_model(place.model_dir).points)


def test_features_of_another_database_are_refused(place: Place) -> None:
    shutil.rmtree(place.cache_dir)
    with closing(sqlite3.connect(place.database_path)) as database:
        number, name = database.execute("SELECT image_id, name FROM images LIMIT 1").fetchone()
        database.execute(
            "UPDATE descriptors SET rows = rows - 1, data = substr(data, 1, (rows - 1) * 128) "
            "WHERE image_id = ?",
            (number,),
        )
        database.commit()
    with pytest.raises(PlaceError, match=rf"features of {name} .* finish `sightline build`"):
        MapIndex.open(place)
    assert not list(place.cache_dir.glob("*"))


def test_no_reconstruction(place: Place) -> None:
    shutil.rmtree(place.model_dir)
    with pytest.raises(PlaceError, match="no reconstruction"):
        MapIndex.open(place)
