"""A photo of too little use is refused before anybody tries to localise it; off by default."""

import io
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image
from served_place import FakeLocalizer, photo
from starlette.testclient import TestClient

from sightline.errors import InputError
from sightline.media.distortions import distort, parse_distortion
from sightline.server.application import create_app
from sightline.server.settings import ServerSettings


@dataclass
class Verdict:
    score: float
    reason: str


def by_blue(image: np.ndarray) -> Verdict:
    """Judge a fake photo: the bluer, the worse."""
    blue = float(image[..., 2].mean())
    if blue > 140:
        raise RuntimeError("secret: a hole in /home/somebody/gate")
    return Verdict(1 - blue / 100, "too blurred" if blue < 80 else "too dark")


@pytest.fixture
def client(localizer: FakeLocalizer, settings: ServerSettings):
    app = create_app(localizer, replace(settings, min_utility=0.5), judge=by_blue)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


def send(client: TestClient, *photos: tuple[str, bytes]):
    return client.post("/api/localize", files=[("photos", file) for file in photos])


def test_a_photo_below_is_refused_with_reason_and_score(client, localizer):
    answer = send(client, ("hall.png", photo(60, 30, 70)))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:sightline:problem:photo-of-no-use",
        "title": "The photo is of no use",
        "status": 422,
        "detail": "hall.png: this photo is too blurred: take another (score 0.30, 0.50 wanted)",
    }
    assert localizer.calls == []


def test_the_bound_itself_is_enough(client, localizer):
    assert send(client, ("hall.png", photo(60, 30, 50))).status_code == 200
    assert localizer.calls == [["hall.png"]]


def test_others_of_the_request_are_answered(client, localizer):
    files = [("a.png", photo(60, 30, 0)), ("b.png", photo(60, 30, 90)), ("c.png", photo(40, 30, 0))]
    answer = send(client, *files)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [r["status"] for r in results] == ["refined", "failed", "refined"]
    assert "b.png: this photo is too dark" in results[1]["problem"]["detail"]
    assert [results[0]["plan_xy_px"], results[2]["plan_xy_px"]] == [[120, 60], [80, 60]]
    assert [name for call in localizer.calls for name in call] == ["a.png", "c.png"]


def test_a_gate_that_breaks_tells_no_secrets(client):
    answer = send(client, ("a.png", photo(60, 30, 150)))
    assert answer.status_code == 500
    assert "secret" not in answer.text


def test_nothing_is_judged_where_nothing_is_asked_for(localizer, settings):
    app = create_app(localizer, settings, judge=by_blue)
    with TestClient(app, raise_server_exceptions=False) as client:
        assert send(client, ("hall.png", photo(60, 30, 90))).status_code == 200


def png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def test_the_packages_gate_refuses_what_is_ruined(localizer, settings):
    rng = np.random.default_rng(0)
    image = np.full((320, 240, 3), 40, np.uint8)
    for _ in range(500):
        y, x, h, w = (*rng.integers(0, [320, 240]), *rng.integers(3, 40, 2))
        image[y : y + h, x : x + w] = rng.integers(0, [120, 120, 40])
    image = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    generous = replace(settings, min_utility=0.5, max_file_bytes=400_000, max_request_bytes=900_000)
    with TestClient(create_app(localizer, generous)) as client:
        assert send(client, ("sharp.png", png(image))).status_code == 200
        for added, word in (
            ("blur:8", "too blurred"),
            ("jpeg:1", "too compressed"),
            ("lowlight:0.003", "too dark"),
        ):
            ruined = distort(image, parse_distortion(added), 0)
            answer = send(client, (f"{word}.png", png(ruined)))
            assert answer.status_code == 422
            assert f"this photo is {word}: take another (score 0." in answer.json()["detail"]
        # One pixel: a clear answer too.
        answer = send(client, ("dot.png", png(np.full((1, 1, 3), 40, np.uint8))))
        assert answer.status_code == 422
        assert "take another" in answer.json()["detail"]


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_bound_is_a_probability(value):
    with pytest.raises(InputError, match="min_utility from 0 to 1 is wanted"):
        ServerSettings(min_utility=value)
