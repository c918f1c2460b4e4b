"""From which confidence on the service answers: told, and what is below withheld."""

import numpy as np
import pytest
from served_place import FakeLocalizer, photo
from starlette.testclient import TestClient

from sightline.app.localize import Localizer
from sightline.app.place_confidence import PlaceConfidence
from sightline.cli.main import main
from sightline.errors import InputError
from sightline.records import Place
from sightline.server import serve as serving
from sightline.server.application import create_app
from sightline.server.serve import serve
from sightline.tasks.absolute.confidence import ConfidenceModel


class Seer:
    """A network that answers always alike."""

    def predict(self, images):
        raise AssertionError("nobody asks")


def opened(place: Place, **told: float) -> Localizer:
    stale = PlaceConfidence(ConfidenceModel(), note="the calibration is of another map")
    return Localizer(place, Seer(), None, None, confidence=stale.answering(**told))


def test_the_place_tells_radius_and_bound(localizer: FakeLocalizer, settings) -> None:
    with TestClient(create_app(localizer, settings)) as client:
        assert client.get("/api/place").json()["confidence"] == {
            "radius": 0.5, "min_confidence": 0.0,
        }  # fmt: skip
    localizer.confidence = PlaceConfidence(ConfidenceModel(radius=2.0), least=np.nextafter(0.9, 1))
    with TestClient(create_app(localizer, settings)) as client:
        assert client.get("/api/place").json()["confidence"] == {
            "radius": 2.0, "min_confidence": pytest.approx(0.9),
        }  # fmt: skip


def test_what_is_withheld_says_how_sure_it_was(localizer: FakeLocalizer, settings) -> None:
    with TestClient(create_app(localizer, settings)) as client:
        answer = client.post("/api/localize", files=[("photos", ("a.png", photo(60, 30, 140)))])
    result = answer.json()["results"][0]
    assert (result["status"], result["center"], result["confidence"]) == ("unknown", None, 0.6229)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--min-confidence", "0.9"], {"min_confidence": 0.9, "max_wrong": None}),
        (["--max-wrong", "0.01"], {"min_confidence": None, "max_wrong": 0.01}),
    ],
)
def test_the_command_passes_the_bound_on_and_tells_the_note(
    place: Place, capsys, monkeypatch: pytest.MonkeyPatch, flags, told
) -> None:
    asked, served = [], []

    def open_(_place, _run, **bounds):
        asked.append(bounds)
        return opened(place, least=0.9, max_wrong=None)

    monkeypatch.setattr(Localizer, "open", open_)
    monkeypatch.setattr(
        serving, "serve_localizer", lambda localizer, *_args, **_kwargs: served.append(localizer)
    )
    assert main(["serve", str(place.root), *flags]) == 0
    assert asked == [told]
    assert served[0].confidence.least == 0.9
    assert "note: the calibration is of another map" in capsys.readouterr().err


def test_a_bound_that_cannot_be_held_stops_the_service(place: Place, monkeypatch) -> None:
    monkeypatch.setattr(serving, "serve_localizer", None)
    monkeypatch.setattr(
        Localizer, "open", lambda place, _run, **told: opened(
            place, least=told["min_confidence"], max_wrong=told["max_wrong"]
        ),
    )  # fmt: skip
    with pytest.raises(InputError, match="a calibrated place is wanted for --max-wrong"):
        serve(place.root, max_wrong=0.01)
    with pytest.raises(InputError, match=r"for --min-confidence, 1\.5 came"):
        serve(place.root, min_confidence=1.5)
