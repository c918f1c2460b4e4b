"""The API's answers: health, place, pictures, localisation."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from served_place import (
    PLAN_HEIGHT,
    PLAN_WIDTH,
    FakeLocalizer,
    make_place,
    photo,
    walkable_mask,
    write_plan,
)
from starlette.testclient import TestClient

from sightline import __version__
from sightline.server.application import create_app
from sightline.server.settings import ServerSettings


@pytest.fixture
def client(localizer: FakeLocalizer, settings: ServerSettings):
    with TestClient(create_app(localizer, settings), raise_server_exceptions=False) as client:
        yield client


def send(client: TestClient, *files: tuple[str, bytes], **data):
    return client.post("/api/localize", files=[("photos", file) for file in files], data=data)


def test_health_tells_place_unit_and_models(client):
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "place": "Povo 1, second floor",
        "unit": "m",
        "models": {"run": "mapnet-resnet34", "reconstruction": False},
        "requests": 0,
    }


def test_health_fails_once_the_worker_has_stopped(localizer, settings):
    app = create_app(localizer, settings)
    with TestClient(app) as client:
        assert client.get("/healthz").status_code == 200
    # Without its lifespan the application has no worker.
    answer = TestClient(app).get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:sightline:problem:not-working"


def test_place_describes_plan_views_and_limits(client, settings):
    place = client.get("/api/place").json()
    assert place["name"] == "Povo 1, second floor"
    assert place["plan"] == {
        "width": PLAN_WIDTH,
        "height": PLAN_HEIGHT,
        "px_per_unit": pytest.approx(20.0),
        "has_walkable": True,
    }
    assert place["views"] == ["numbers", "raw", "walkable"]
    assert place["limits"]["max_files"] == settings.max_files
    assert place["version"] == __version__


def test_a_place_without_a_plan_offers_numbers_only(tmp_path: Path, settings):
    place = make_place(tmp_path / "bare", with_plan=False)
    with TestClient(create_app(FakeLocalizer(place), settings)) as client:
        described = client.get("/api/place").json()
        assert described["plan"] is None
        assert described["views"] == ["numbers"]
        for path in ("/api/plan.png", "/api/plan/forbidden.png"):
            answer = client.get(path)
            assert answer.status_code == 404
            assert answer.headers["content-type"] == "application/problem+json"
            assert "sightline align" in answer.json()["detail"]
        result = send(client, ("a.png", photo(60, 30))).json()["results"][0]
        assert result["status"] == "refined"
        assert result["plan_xy_px"] is None
        assert result["center"] == pytest.approx([6.0, 13.0, 1.6])


def test_a_plan_without_a_mask_has_no_walkable_view(tmp_path: Path, settings):
    place = make_place(tmp_path / "no-mask", with_walkable=False)
    with TestClient(create_app(FakeLocalizer(place), settings)) as client:
        assert client.get("/api/place").json()["views"] == ["numbers", "raw"]
        assert client.get("/api/plan.png").status_code == 200
        assert client.get("/api/plan/forbidden.png").status_code == 404


def test_plan_is_the_places_own_picture(client, place):
    answer = client.get("/api/plan.png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content == (place.root / "plan.png").read_bytes()


def test_a_plan_in_another_format_is_served_as_png(tmp_path: Path, settings):
    place = make_place(tmp_path / "jpeg", with_plan=False)
    plan = write_plan(place.root)
    jpeg = place.root / "plan.jpg"
    Image.open(plan.image).save(jpeg, quality=95)
    type(plan)(jpeg, plan.walkable, plan.width, plan.height, plan.px_from_world).write(
        place.plan_path
    )
    with TestClient(create_app(FakeLocalizer(place), settings)) as client:
        picture = Image.open(io.BytesIO(client.get("/api/plan.png").content))
    assert picture.format == "PNG"
    assert picture.size == (PLAN_WIDTH, PLAN_HEIGHT)


def test_forbidden_picture_is_red_exactly_where_one_cannot_walk(client):
    png = client.get("/api/plan/forbidden.png").content
    rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"))
    assert rgba.shape == (PLAN_HEIGHT, PLAN_WIDTH, 4)
    walkable = walkable_mask()
    assert (rgba[walkable, 3] == 0).all()
    forbidden = rgba[~walkable].astype(int)
    assert (forbidden[:, 3] > 60).all()
    assert (forbidden[:, 3] < 200).all()
    assert (forbidden[:, 0] > forbidden[:, 1] + 100).all()


@pytest.mark.parametrize("path", ["/api/plan.png", "/api/plan/forbidden.png"])
def test_pictures_are_sent_once(client, path):
    tag = client.get(path).headers["etag"]
    for known in (tag, f'"other", W/{tag}', "*"):
        again = client.get(path, headers={"If-None-Match": known})
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == tag
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_one_photo_gets_its_pose(client, localizer):
    answer = send(client, ("hall.png", photo(60, 30)))
    assert answer.status_code == 200
    assert answer.json() == {
        "results": [
            {
                "image": "hall.png",
                "status": "refined",
                "q_wxyz": [0.5, -0.5, 0.5, -0.5],
                "center": [6.0, 13.0, 1.6],
                "unit": "m",
                "plan_xy_px": [120.0, 60.0],
                "walkable_xy_px": [120.0, 60.0],
                "on_walkable": True,
                "heading_deg": 60.0,
                "confidence": 0.93,
                "inliers": 107,
                "seconds": 0.31,
            }
        ]
    }
    assert localizer.threads == {"sightline-worker"}


def test_several_photos_are_answered_in_order_and_a_bad_one_keeps_to_itself(client):
    answer = send(
        client,
        ("a.png", photo(20, 30)),
        ("notes.txt", b"no photo at all"),
        ("b.png", photo(60, 30, 70)),
        ("c.jpg", photo(60, 30, 120, kind="JPEG")),
        ("d.png", photo(60, 30, 170)),
    )
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [r["image"] for r in results] == ["a.png", "notes.txt", "b.png", "c.jpg", "d.png"]
    assert [r["status"] for r in results] == [
        "refined",
        "failed",
        "regressed",
        "unknown",
        "failed",
    ]
    unreadable, unlocalizable = results[1]["problem"], results[4]["problem"]
    assert unreadable["type"] == "urn:sightline:problem:unsupported-photo"
    assert unreadable["status"] == 415
    assert unreadable["detail"].startswith("notes.txt: ")
    assert unlocalizable["detail"] == "d.png: four points are wanted, three came"
    assert results[3]["center"] is None


def test_names_can_be_given_apart(client):
    files = [("blob", photo(20, 30)), ("blob", photo(20, 40))]
    answer = send(client, *files, filename=["first.jpg", "second.jpg"])
    assert [r["image"] for r in answer.json()["results"]] == ["first.jpg", "second.jpg"]
    wrong = send(client, *files, filename=["first.jpg"])
    assert wrong.status_code == 400
    assert "2 photos, 1 names" in wrong.json()["detail"]


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\hall.jpg", "hall.jpg"),
        ("a\tb\u202egpj.exe", "abgpj.exe"),
        ("ü" * 300 + ".jpg", "ü" * 200),
        (" / ", "photo-1"),
    ],
)
def test_names_are_cleaned(client, sent, answered):
    answer = send(client, ("x", photo(20, 30)), filename=[sent])
    assert answer.json()["results"][0]["image"] == answered


def test_a_bug_in_the_localiser_is_a_500_that_tells_nothing(client, caplog):
    answer = send(client, ("a.png", photo(20, 30, 220)))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    instance = answer.json()["instance"]
    assert instance.startswith("urn:uuid:")
    logged = next(r for r in caplog.records if instance in r.getMessage())
    assert "secret" in str(logged.exc_info[1])


def test_one_photos_bug_does_not_spoil_its_batch(client, localizer):
    files = [("ok.png", photo(20, 30)), ("bug.png", photo(20, 30, 220))]
    results = send(client, *files).json()["results"]
    assert [r["status"] for r in results] == ["refined", "failed"]
    assert results[1]["problem"]["status"] == 500
    assert localizer.calls == [["ok.png", "bug.png"], ["ok.png"], ["bug.png"]]


def test_an_answer_that_is_not_finite_is_a_bug_not_an_answer(place, settings, monkeypatch):
    localizer = FakeLocalizer(place)
    good = localizer._one

    def not_finite(image, name):
        answer = good(image, name)
        answer.content["confidence"] = float("nan")
        return answer

    monkeypatch.setattr(localizer, "_one", not_finite)
    with TestClient(create_app(localizer, settings), raise_server_exceptions=False) as client:
        assert send(client, ("a.png", photo(20, 30))).status_code == 500


def test_uploads_are_never_written_to_disk(place, monkeypatch):
    import tempfile

    def refuse(*_args, **_kwargs):
        raise AssertionError("a temporary file was asked for")

    for name in ("SpooledTemporaryFile", "TemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    noise = np.random.default_rng(0).integers(0, 40, (1100, 1100, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "PNG")
    assert len(stream.getvalue()) > 2**21
    with TestClient(create_app(FakeLocalizer(place))) as client:
        answer = send(client, ("large.png", stream.getvalue()))
    assert answer.json()["results"][0]["status"] == "refined"
