"""Which confidence a place's answers get: shipped, its own, or said to be out of date."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import sightline
from sightline.app.judged import rounded_down
from sightline.app.localize import Localizer
from sightline.app.place_confidence import ANSWERS, FOLDER, MODEL, PlaceConfidence, calibrated_for
from sightline.errors import InputError
from sightline.geometry import Pose, Similarity
from sightline.records import Place
from sightline.tasks.absolute.confidence import ConfidenceModel


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.create(tmp_path / "place", source="nothing")
    place.model_dir.mkdir(parents=True)
    (place.model_dir / "points3D.bin").write_bytes(b"map")
    place.update(unit="m")
    return place


class Far:
    """A second stage that sees its map from three units away."""

    viewing_distance = 3.0

    def refine(self, *_: object) -> None:
        raise AssertionError


def written(place: Place, run: str = "") -> Path:
    folder = place.root / FOLDER
    model = ConfidenceModel(radius=0.3, about=calibrated_for(place, run or None))
    model.write(folder / MODEL)
    rows = ["image,distortion,source,status,confidence,error"]
    # of 299 photos two are wrong, at confidences 0.6 and 0.3; a tenth has no answer
    for i in range(299):
        if i % 10 == 0:
            rows.append(f"{i}.jpg,none,{i},unknown,0.0,")
        else:
            error = 4.0 if i in (11, 12) else 0.05
            confidence = {11: 0.6, 12: 0.3}.get(i, 0.95)
            rows.append(f"{i}.jpg,none,{i},refined,{confidence},{error}")
    (folder / ANSWERS).write_text("\n".join(rows) + "\n")
    return folder


def test_a_place_that_was_not_calibrated(place: Place) -> None:
    found = PlaceConfidence.open(place, None, None)
    assert (found.model.radius, found.folder, found.note, found.least) == (0.5, None, "", 0.0)
    with pytest.raises(InputError, match="run `sightline calibrate PLACE` first"):
        found.answering(None, 0.01)


def test_without_a_scale_the_radius_follows_the_map(place: Place) -> None:
    similarity = Similarity(2.0, Pose.identity())
    place.set_alignment(similarity, "arbitrary", method="gravity")
    assert PlaceConfidence.open(place, Far(), None).model.radius == pytest.approx(1.0)
    assert PlaceConfidence.open(place, None, None).model.radius == 0.5
    place.update(unit="m")
    assert PlaceConfidence.open(place, Far(), None).model.radius == 0.5


def test_its_own_calibration_holds_for_map_and_run(place: Place) -> None:
    folder = written(place)
    assert PlaceConfidence.open(place, None, None).model.radius == 0.3
    assert PlaceConfidence.open(place, None, None).folder == folder
    other = PlaceConfidence.open(place, None, "mapnet")
    assert other.model.radius == 0.5
    assert f"the calibration in {folder} is of another run; run" in other.note
    (place.model_dir / "points3D.bin").write_bytes(b"another map")
    assert "another map; run `sightline calibrate" in PlaceConfidence.open(place, None, None).note
    assert "another map and run;" in PlaceConfidence.open(place, None, "mapnet").note


def test_a_network_trained_again_under_its_name_is_another(place: Place) -> None:
    weights = place.runs_dir / "mapnet" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    folder = written(place, "mapnet")
    assert PlaceConfidence.open(place, None, "mapnet").folder == folder
    weights.write_bytes(b"other weights")
    found = PlaceConfidence.open(place, None, "mapnet")
    assert found.folder is None
    assert "is of another network; run" in found.note


def test_load_place_passes_bounds_on_and_warns(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def opened(*arguments: object, **bounds: object) -> Localizer:
        asked.append(bounds)
        stale = PlaceConfidence(ConfidenceModel(), note="the calibration is of another map")
        return Localizer(place, None, Far(), None, confidence=stale)

    monkeypatch.setattr(Localizer, "open", opened)
    with pytest.warns(UserWarning, match="the calibration is of another map") as caught:
        sightline.load_place(place.root, min_confidence=0.9)
    assert caught[0].filename == __file__
    assert asked == [{"min_confidence": 0.9, "max_wrong": None}]


def test_a_confidence_is_never_rounded_up() -> None:
    shown = [(0.9999999, 2), (0.29, 2), (0.57, 4), (0.8999999999999999, 4), (1.0, 2), (1e-9, 4)]
    wanted = [0.99, 0.29, 0.57, 0.8999, 1.0, 0.0]
    assert [rounded_down(value, digits) for value, digits in shown] == wanted
    assert rounded_down(np.float64(0.996), 2) == 0.99


def test_a_share_of_wrong_answers_becomes_a_threshold(place: Place) -> None:
    written(place)
    found = PlaceConfidence.open(place, None, None)
    # (wrong + 1) / 300 <= share
    assert found.answering(None, 0.01).least == 0.0
    assert found.answering(None, 0.0067).least == np.nextafter(0.3, 1)
    assert found.answering(None, 0.004).least == np.nextafter(0.6, 1)
    with pytest.raises(InputError, match=r"at least 999 photos are wanted .* 299 came"):
        found.answering(None, 0.001)


def test_thresholds_that_make_no_sense(place: Place) -> None:
    written(place)
    found = PlaceConfidence.open(place, None, None)
    assert found.answering(None, None) is found
    assert found.answering(0.8, None).least == 0.8
    for least, share, words in (
        (1.5, None, "for --min-confidence, 1.5 came"),
        (None, -0.1, "for --max-wrong, -0.1 came"),
        (0.5, 0.1, "both came"),
        (None, 0.0, "promises that nothing is wrong"),
    ):
        with pytest.raises(InputError, match=words):
            found.answering(least, share)


def test_answers_that_do_not_read(place: Place) -> None:
    folder = written(place)
    (folder / ANSWERS).write_text("image,status\na.jpg,refined\n")
    with pytest.raises(InputError, match="run `sightline calibrate` again"):
        PlaceConfidence.open(place, None, None).answering(None, 0.1)
    (folder / ANSWERS).unlink()
    with pytest.raises(InputError, match="run `sightline calibrate` again"):
        PlaceConfidence.open(place, None, None).answering(None, 0.1)
