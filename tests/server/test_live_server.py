"""Many clients at once, over real sockets; and the process that serves them."""

import logging
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from live_server import running
from served_place import FakeLocalizer, photo

from sightline.errors import InputError, PlaceError
from sightline.server.application import create_app
from sightline.server.serve import listen, serve, serve_localizer

HERE = Path(__file__).parent


def localize(address: str, name: str, data: bytes) -> httpx2.Response:
    files = {"photos": (name, data)}
    return httpx2.post(f"{address}/api/localize", files=files, timeout=30)


def wait_until(condition, seconds: float = 10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def requests_in_hand(address: str) -> int:
    return httpx2.get(f"{address}/healthz").json()["requests"]


@pytest.fixture
def held(localizer: FakeLocalizer):
    """The localiser, holding every call until released."""
    localizer.release = threading.Event()
    yield localizer
    localizer.release.set()


def test_concurrent_requests_share_batches_and_get_their_own_answers(held, settings):
    with running(create_app(held, settings)) as address, ThreadPoolExecutor(6) as pool:
        first = pool.submit(localize, address, "first.png", photo(20, 20))
        wait_until(lambda: held.calls == [["first.png"]])
        others = [pool.submit(localize, address, f"{i}.png", photo(20 + i, 30)) for i in range(5)]
        wait_until(lambda: requests_in_hand(address) == 6)
        # In hand is counted before the upload is read; give the last body time to be queued.
        time.sleep(0.3)
        held.release.set()
        assert first.result().status_code == 200
        results = [future.result().json()["results"][0] for future in others]
    assert [r["image"] for r in results] == [f"{i}.png" for i in range(5)]
    assert [r["plan_xy_px"][0] for r in results] == [40 + 2 * i for i in range(5)]
    assert [len(call) for call in held.calls] == [1, 4, 1]


def test_the_event_loop_answers_during_a_slow_localisation(held, settings):
    with running(create_app(held, settings)) as address, ThreadPoolExecutor(1) as pool:
        slow = pool.submit(localize, address, "slow.png", photo(20, 20))
        wait_until(lambda: held.calls)
        began = time.perf_counter()
        for path in ("/healthz", "/api/place", "/api/plan.png"):
            assert httpx2.get(address + path).status_code == 200
        assert time.perf_counter() - began < 2
        assert not slow.done()
        held.release.set()
        assert slow.result().status_code == 200


def test_a_full_queue_is_503_with_retry_after(held, settings):
    settings = replace(settings, max_requests=2, retry_after_s=7)
    with running(create_app(held, settings)) as address, ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(localize, address, "w.png", photo(20, 20)) for _ in range(2)]
        wait_until(lambda: requests_in_hand(address) == 2)
        refused = localize(address, "refused.png", photo(20, 20))
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "7"
        assert refused.headers["content-type"] == "application/problem+json"
        held.release.set()
        assert [w.result().status_code for w in waiting] == [200, 200]
        assert localize(address, "later.png", photo(20, 20)).status_code == 200
    assert ["refused.png"] not in held.calls


def send_head(address: str, length: int) -> socket.socket:
    """Open a connection, promise a form of some length and send its first bytes."""
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    head = (
        "POST /api/localize HTTP/1.1\r\nHost: test\r\n"
        f"Content-Type: multipart/form-data; boundary=edge\r\nContent-Length: {length}\r\n\r\n"
        '--edge\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n\r\n'
    )
    connection.sendall(head.encode())
    return connection


def test_a_slow_upload_is_given_up(localizer, settings):
    settings = replace(settings, upload_timeout_s=0.3)
    with running(create_app(localizer, settings)) as address:
        with send_head(address, 5000) as connection:
            answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408")
        wait_until(lambda: requests_in_hand(address) == 0)


def test_a_client_that_leaves_while_sending_frees_its_place(localizer, settings, caplog):
    with running(create_app(localizer, settings)) as address:
        with send_head(address, 5000):
            wait_until(lambda: requests_in_hand(address) == 1)
        wait_until(lambda: requests_in_hand(address) == 0)
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_photos_of_a_client_that_left_are_skipped(held, settings):
    with running(create_app(held, settings)) as address, ThreadPoolExecutor(1) as pool:
        busy = pool.submit(localize, address, "busy.png", photo(20, 20))
        wait_until(lambda: held.calls)
        body = photo(20, 20) + b"\r\n--edge--\r\n"
        head = b'--edge\r\nContent-Disposition: form-data; name="photos"; filename="a.png"\r\n\r\n'
        with send_head(address, len(head) + len(body)) as connection:
            connection.sendall(body)
            wait_until(lambda: requests_in_hand(address) == 2)
            time.sleep(0.2)
        wait_until(lambda: requests_in_hand(address) == 1)
        held.release.set()
        assert busy.result().status_code == 200
        assert localize(address, "next.png", photo(20, 20)).status_code == 200
    assert held.calls == [["busy.png"], ["next.png"]]


def test_a_declared_length_over_the_limit_is_answered_before_the_body(localizer, settings):
    with running(create_app(localizer, settings)) as address, send_head(address, 10**9) as peer:
        assert peer.recv(4096).startswith(b"HTTP/1.1 413")


SCRIPT = textwrap.dedent(
    """
    import sys, threading
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from served_place import FakeLocalizer
    from sightline.records import Place
    from sightline.server.serve import serve_localizer
    localizer = FakeLocalizer(Place.open(sys.argv[2]), seconds=1.0)
    serve_localizer(localizer, port=0, on_ready=lambda url: print(url, flush=True))
    print("stopped cleanly", flush=True)
    """
)


def test_ctrl_c_lets_the_running_request_end_and_stops_cleanly(place):
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(HERE), str(place.root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        address = process.stdout.readline().strip().rstrip("/")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        wait_until(lambda: answers(address))
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(localize, address, "private.png", photo(20, 20))
            wait_until(lambda: requests_in_hand(address) == 1)
            time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            assert pending.result().status_code == 200
        out, err = process.communicate(timeout=15)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert out.splitlines()[-1] == "stopped cleanly"
    assert "Traceback" not in err
    # The access log tells that somebody asked, and nothing of what was sent.
    assert '"POST /api/localize HTTP/1.1" 200' in out
    assert "private" not in out + err


def answers(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/healthz").status_code == 200
    except httpx2.TransportError:
        return False


def test_a_taken_port_is_one_clear_line(localizer):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port} is wanted.*--port"):
            serve_localizer(localizer, port=port)


def test_serving_what_is_no_place_fails_at_once(tmp_path):
    with pytest.raises(PlaceError, match="is not a place"):
        serve(tmp_path)


def test_answers_do_not_wait_for_acknowledgements():
    # asyncio sets TCP_NODELAY on accepted connections only where the listener names TCP; without
    # it every answer on a kept connection takes 40 ms more.
    with listen("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
