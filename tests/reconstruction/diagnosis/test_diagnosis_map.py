"""Reprojection errors, angles, loop gaps and features, against an exact ring of walls."""

from pathlib import Path

import numpy as np
import pytest

from ring_place import FRAMES, NAMES, RADIUS_M, ring_poses, write_ring_place
from sightline.errors import InputError
from sightline.reconstruction.diagnosis.feature_store import count_features, read_descriptors_of
from sightline.reconstruction.diagnosis.loop_gap import measure_revisits
from sightline.reconstruction.diagnosis.map_fit import measure_fit
from sightline.records import Place
from sightline.records.colmap import MapModel, read_model


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return write_ring_place(tmp_path_factory.mktemp("ring") / "place")


@pytest.fixture(scope="module")
def model(ring: Place) -> MapModel:
    return read_model(ring.model_dir)


def test_an_exact_map_fits(model: MapModel) -> None:
    fit = measure_fit(model)
    assert fit.names == NAMES
    assert fit.errors_px.max() < 1e-6
    assert fit.observations.min() >= 100
    own = model.frames[NAMES[7]]
    seen = np.isin(model.point_ids, own.point_ids)
    depth = ring_poses()[7].inverse().apply(model.points[seen])[:, 2]
    assert fit.depths[7] == pytest.approx(np.median(depth))


def test_angles_are_within_a_factor_of_two_of_the_widest(model: MapModel) -> None:
    fit = measure_fit(model)
    centres = ring_poses().translation
    for row in range(0, len(model.points), 97):
        number = model.point_ids[row]
        by = [i for i, n in enumerate(NAMES) if number in model.frames[n].point_ids]
        rays = centres[by] - model.points[row]
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        widest = np.rad2deg(np.arccos(np.clip(rays @ rays.T, -1, 1))).max()
        assert widest / 2 - 1e-6 <= fit.angles_deg[row] <= widest + 1e-6


def test_a_shifted_frame_has_its_shift_as_error(tmp_path: Path) -> None:
    place = write_ring_place(tmp_path / "place", shifted_px={5: 3.0})
    fit = measure_fit(read_model(place.model_dir))
    assert fit.errors_px[5] == pytest.approx(3.0)
    assert np.delete(fit.errors_px, 5).max() < 1e-6


def descriptors(place: Place):
    return lambda names: read_descriptors_of(place.database_path, names)


def test_a_closed_ring_has_no_gap(ring: Place, model: MapModel) -> None:
    found = measure_revisits(model, NAMES, descriptors(ring))
    assert found.middle is not None
    assert found.middle.gap < 1e-5
    assert found.middle.turn_deg < 1e-4
    step = 2 * RADIUS_M * np.sin(np.pi / 36)
    pair = NAMES.index(found.middle.a), NAMES.index(found.middle.b)
    assert found.middle.path == pytest.approx(step * (pair[1] - pair[0]))
    assert found.candidates >= 4


def test_a_gap_is_the_drift(tmp_path: Path) -> None:
    place = write_ring_place(tmp_path / "place", drift_m=0.4)
    found = measure_revisits(read_model(place.model_dir), NAMES, descriptors(place))
    assert found.middle is not None
    assert found.middle.gap == pytest.approx(0.4, abs=1e-5)


def test_a_walk_that_does_not_return(ring: Place, model: MapModel) -> None:
    found = measure_revisits(model, NAMES[:30], descriptors(ring))
    assert (found.candidates, found.gaps, found.middle) == (0, (), None)


def test_spots_that_only_lie_together_are_not_believed(ring: Place, model: MapModel) -> None:
    rng = np.random.default_rng(1)

    def strangers(names):
        known = read_descriptors_of(ring.database_path, names)
        return {n: rng.integers(0, 256, d.shape).astype(np.uint8) for n, d in known.items()}

    found = measure_revisits(model, NAMES, strangers)
    assert found.candidates >= 4
    assert found.gaps == ()


def test_the_database_is_read_and_left_as_it_is(ring: Place) -> None:
    before = sorted((p.name, p.stat().st_mtime_ns) for p in ring.reconstruction_dir.iterdir())
    counts = count_features(ring.database_path)
    assert list(counts) == NAMES
    two = read_descriptors_of(ring.database_path, [NAMES[3], NAMES[9], "none.png"])
    assert {n: len(d) for n, d in two.items()} == {n: counts[n] for n in (NAMES[3], NAMES[9])}
    assert len(counts) == FRAMES
    after = sorted((p.name, p.stat().st_mtime_ns) for p in ring.reconstruction_dir.iterdir())
    assert after == before


def test_a_broken_database_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        count_features(tmp_path / "database.db")
    (tmp_path / "database.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(InputError, match="does not read") as info:
        count_features(tmp_path / "database.db")
    assert "\n" not in str(info.value)
