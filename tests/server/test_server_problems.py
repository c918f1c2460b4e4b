"""Limits, broken requests, headers: every refusal is a problem document."""

import numpy as np
import pytest
from PIL import Image
from served_place import FakeLocalizer, photo
from starlette.testclient import TestClient

from sightline.errors import InputError
from sightline.server.application import create_app
from sightline.server.settings import ServerSettings

BOUNDARY = "edge"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.fixture
def client(localizer: FakeLocalizer, settings: ServerSettings):
    with TestClient(create_app(localizer, settings), raise_server_exceptions=False) as client:
        yield client


def part(data: bytes, name: str = "photos", filename: str | None = "a.png") -> bytes:
    disposition = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def assert_problem(answer, status: int, *words: str):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["title"]
    assert body["type"].startswith(("about:blank", "urn:sightline:problem:"))
    for word in words:
        assert word in body["detail"]
    assert "\n" not in body["detail"]


HEIC = b"\x00\x00\x00\x18ftypheic" + bytes(100)


@pytest.mark.parametrize(("name", "data"), [("notes.txt", b"hello"), ("phone.heic", HEIC)])
def test_a_single_file_of_another_kind_is_refused_by_its_content(client, name, data):
    answer = client.post("/api/localize", files={"photos": (name, data, "image/jpeg")})
    assert_problem(answer, 415, name, "export it as JPEG")


def test_the_content_counts_and_not_the_name(client):
    answer = client.post("/api/localize", files={"photos": ("a.txt", photo(20, 30), "text/plain")})
    assert answer.status_code == 200


def test_a_truncated_photo_is_a_client_error(client):
    whole = photo(60, 30, size=(300, 300), kind="JPEG")
    answer = client.post("/api/localize", files={"photos": ("cut.jpg", whole[: len(whole) // 2])})
    assert_problem(answer, 422, "cut.jpg")


def test_an_empty_file_is_a_client_error(client):
    answer = client.post("/api/localize", files={"photos": ("empty.jpg", b"")})
    assert_problem(answer, 422, "empty.jpg")


def test_too_many_pixels_are_refused(client, localizer):
    bomb = photo(60, 30, size=(1000, 1000))
    assert len(bomb) < 40_000
    answer = client.post("/api/localize", files={"photos": ("bomb.png", bomb)})
    assert_problem(answer, 422, "bomb.png")
    assert localizer.calls == []


def test_a_file_over_its_limit_is_refused_and_its_neighbour_answered(client):
    large = b"x" * 40_001
    assert_problem(client.post("/api/localize", files={"photos": ("l.png", large)}), 413, "0.0 MiB")
    answer = client.post(
        "/api/localize", files=[("photos", ("l.png", large)), ("photos", ("s.png", photo(20, 30)))]
    )
    assert [r["status"] for r in answer.json()["results"]] == ["failed", "refined"]
    assert answer.json()["results"][0]["problem"]["status"] == 413


def test_a_declared_length_over_the_limit_is_refused_unread(client):
    answer = client.post("/api/localize", content=b"x" * 150_001, headers=FORM)
    assert_problem(answer, 413, "fewer or smaller")
    assert answer.headers["connection"] == "close"


def test_a_stream_over_the_limit_is_refused_though_it_declares_nothing(client):
    sent = []

    def body():
        for _ in range(1000):
            sent.append(1)
            yield part(b"x" * 10_000)

    answer = client.post("/api/localize", content=body(), headers=FORM)
    assert_problem(answer, 413)


def test_too_many_photos_are_refused(client):
    files = [("photos", (f"{i}.png", photo(20, 30))) for i in range(6)]
    assert_problem(client.post("/api/localize", files=files), 413, "At most 5 photos")


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        (b"", 400, "ends early"),
        (part(photo(20, 30)), 400, "ends early"),
        (b"rubbish" + END, 400, "broken"),
        (END, 422, "none came"),
        (part(b"", filename=""), 400, "ends early"),
        (part(b"", filename="") + END, 422, "none came"),
        (part(b"x", name="image") + END, 400, "`image` came"),
        (part(photo(20, 30)) + part(b"n" * 2000, "filename", None) + END, 400, "200 characters"),
        (part(b"x", filename=None) + END, 415, "photo-1"),
    ],
)
def test_broken_forms(client, body, status, word):
    assert_problem(client.post("/api/localize", content=body, headers=FORM), status, word)


@pytest.mark.parametrize("kind", ["image/jpeg", "application/json", "multipart/form-data", ""])
def test_other_content_types_are_refused(client, kind):
    answer = client.post("/api/localize", content=b"x", headers={"Content-Type": kind})
    assert_problem(answer, 415, "multipart/form-data")
    assert answer.headers["accept-post"] == "multipart/form-data"


@pytest.mark.parametrize("path", ["/api/nothing", "/nothing.html", "/../pyproject.toml"])
def test_unknown_paths(client, path):
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize("path", ["/api/localize", "/healthz/"])
def test_wrong_methods(client, path):
    answer = client.delete(path)
    assert_problem(answer, 405, "DELETE")


def test_wrong_method_names_the_right_one(client):
    assert client.get("/api/localize").headers["allow"] == "POST"


def test_a_failing_route_is_a_500_with_security_headers(localizer, settings):
    app = create_app(localizer, settings)

    def broken():
        raise RuntimeError("secret path")

    app.router.add_route("/broken", broken)
    app.router.routes.insert(0, app.router.routes.pop())
    with TestClient(app, raise_server_exceptions=False) as client:
        answer = client.get("/broken")
    assert_problem(answer, 500)
    assert "secret" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/healthz", "/api/plan.png", "/nothing", "/openapi.json"])
def test_security_headers(client, path):
    headers = client.get(path).headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_other_origins_may_not_read_by_default(client):
    answer = client.get("/healthz", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_named_origins_may(localizer):
    settings = ServerSettings(allow_origins=("https://map.example.org",))
    with TestClient(create_app(localizer, settings)) as client:
        friend = client.get("/healthz", headers={"Origin": "https://map.example.org"})
        stranger = client.get("/healthz", headers={"Origin": "https://evil.example"})
    assert friend.headers["access-control-allow-origin"] == "https://map.example.org"
    assert "access-control-allow-origin" not in stranger.headers


@pytest.mark.parametrize("origin", ["*", "map.example.org", "https://a.org/", "file://x"])
def test_origins_must_be_named(origin):
    with pytest.raises(InputError, match="an origin like"):
        ServerSettings(allow_origins=(origin,))


@pytest.mark.parametrize("name", ["max_files", "batch_size", "upload_timeout_s"])
def test_limits_must_be_positive(name):
    with pytest.raises(InputError, match=f"a positive {name} is wanted, 0 came"):
        ServerSettings(**{name: 0})


def test_an_unbuilt_dashboard_tells_how_to_build_it(localizer, tmp_path):
    with TestClient(create_app(localizer, static_dir=tmp_path / "empty")) as client:
        answer = client.get("/")
        assert answer.status_code == 503
        assert "npm ci" in answer.text
        assert client.get("/healthz").status_code == 200


def test_dashboard_files_are_cached_by_their_names(localizer, tmp_path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>page</title>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("1")
    with TestClient(create_app(localizer, static_dir=tmp_path)) as client:
        page, script = client.get("/"), client.get("/assets/index-1a2b.js")
        missing = client.get("/assets/index-0000.js")
    assert page.headers["cache-control"] == "no-cache"
    assert "immutable" in script.headers["cache-control"]
    assert_problem(missing, 404)
    assert missing.headers["cache-control"] == "no-store"


def test_exif_orientation_is_applied_before_localising(client, localizer, monkeypatch):
    shapes = []
    answer_one = localizer._one

    def remember(image, name):
        shapes.append(image.shape)
        return answer_one(image, name)

    monkeypatch.setattr(localizer, "_one", remember)
    picture = Image.fromarray(np.full((60, 80, 3), 40, np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    import io

    stream = io.BytesIO()
    picture.save(stream, "JPEG", exif=exif)
    answer = client.post("/api/localize", files={"photos": ("p.jpg", stream.getvalue())})
    assert answer.status_code == 200
    assert shapes == [(80, 60, 3)]
