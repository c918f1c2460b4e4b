"""The worker: batches, turns, cancellation, closing."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from sightline.server.batching import BatchWorker, WorkerClosedError


class Recorder:
    """A batch function that can be held, and remembers what it was given."""

    def __init__(self):
        self.batches = []
        self.entered = threading.Event()
        self.go = threading.Event()

    def __call__(self, items):
        self.batches.append(list(items))
        self.entered.set()
        assert self.go.wait(10)
        return [item.upper() for item in items]


@pytest.fixture
def recorder():
    return Recorder()


@pytest.fixture
def worker(recorder):
    worker = BatchWorker(recorder, batch_size=4)
    worker.start()
    yield worker
    recorder.go.set()
    worker.close(5)


def hold_worker(worker, recorder):
    """Submit one item and wait until the worker is busy with it."""
    (first,) = worker.submit(["first"])
    assert recorder.entered.wait(5)
    return first


def test_what_arrives_during_a_batch_is_the_next_batch(worker, recorder):
    hold_worker(worker, recorder)
    futures = [worker.submit([name])[0] for name in "abcde"]
    recorder.go.set()
    assert [f.result(5) for f in futures] == ["A", "B", "C", "D", "E"]
    assert recorder.batches == [["first"], ["a", "b", "c", "d"], ["e"]]


def test_one_photo_does_not_wait_behind_an_album(worker, recorder):
    hold_worker(worker, recorder)
    album = worker.submit([f"album{i}" for i in range(8)])
    (single,) = worker.submit(["single"])
    recorder.go.set()
    assert single.result(5) == "SINGLE"
    assert [f.result(5) for f in album] == [f"ALBUM{i}" for i in range(8)]
    assert recorder.batches[1] == ["album0", "single", "album1", "album2"]


def test_cancelled_items_are_skipped(worker, recorder):
    hold_worker(worker, recorder)
    gone, stays = worker.submit(["gone", "stays"])
    assert gone.cancel()
    recorder.go.set()
    assert stays.result(5) == "STAYS"
    assert recorder.batches == [["first"], ["stays"]]
    with pytest.raises(CancelledError):
        gone.result(0)


def test_a_failing_batch_fails_its_items_and_the_worker_goes_on():
    def divide(items):
        return [1 / item for item in items]

    worker = BatchWorker(divide, batch_size=4)
    worker.start()
    (bad,) = worker.submit([0])
    with pytest.raises(ZeroDivisionError):
        bad.result(5)
    assert worker.submit([2])[0].result(5) == 0.5
    assert worker.close(5)


def test_a_batch_of_the_wrong_length_fails():
    worker = BatchWorker(lambda items: [], batch_size=4)
    worker.start()
    with pytest.raises(RuntimeError, match="1 results are wanted, 0 came"):
        worker.submit(["a"])[0].result(5)
    worker.close(5)


def test_closing_ends_the_running_batch_and_refuses_the_rest(worker, recorder):
    running = hold_worker(worker, recorder)
    (waiting,) = worker.submit(["waiting"])
    threading.Timer(0.2, recorder.go.set).start()
    assert worker.close(5)
    assert running.result(0) == "FIRST"
    with pytest.raises(WorkerClosedError):
        waiting.result(0)
    with pytest.raises(WorkerClosedError):
        worker.submit(["late"])
    assert not worker.alive


def test_closing_does_not_wait_for_ever(worker, recorder):
    hold_worker(worker, recorder)
    began = time.perf_counter()
    assert not worker.close(0.1)
    assert time.perf_counter() - began < 2


def test_nothing_submitted_is_nothing_answered(worker, recorder):
    assert worker.submit([]) == []
    recorder.go.set()
    assert worker.submit(["a"])[0].result(5) == "A"
    assert recorder.batches == [["a"]]
