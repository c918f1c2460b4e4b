"""Photos, folders and videos through a task's predictor; names of files, failures, films."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from sightline.app.predict import predict_photos
from sightline.errors import InputError, MediaError, StorageError
from sightline.media import iter_frames, write_video
from sightline.tasks import Picture


@dataclass(frozen=True)
class Answer:
    """Says the picture's name and mean."""

    asked: Picture
    notes: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, Any]]:
        return [{"mean": float(self.asked.image.mean())}]

    def lines(self) -> list[str]:
        return [self.asked.name]

    def picture(self) -> NDArray[np.uint8]:
        return 255 - self.asked.image

    def write(self, folder: Path, stem: str) -> None:
        folder.mkdir(exist_ok=True)
        for ending in (".txt", "_more.txt"):
            (folder / f"{stem}{ending}").write_text(self.asked.name)


@dataclass
class Predictor:
    """Refuses what ``refused`` names."""

    refused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    default_out: Path | None = None
    endings: tuple[str, ...] = (".txt", "_more.txt")
    asked: list[Picture] = field(default_factory=list)

    def kept(self, photo: Path, folder: Path, stem: str) -> Answer | None:
        text = folder / f"{stem}.txt"
        same = text.is_file() and text.read_text() == str(photo)
        return Answer(Picture(str(photo), np.zeros((1, 1, 3), np.uint8), photo)) if same else None

    def __call__(self, picture: Picture) -> Answer:
        self.asked.append(picture)
        if any(part in picture.name for part in self.refused):
            raise InputError("something else is wanted")
        return Answer(picture)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """Nine frames, each brighter."""
    path = tmp_path / "films" / "walk.mp4"
    frames = [np.full((32, 48, 3), 20 * k, np.uint8) for k in range(9)]
    write_video(path, frames, fps=10, crf=0)
    return path


def save(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((8, 9, 3), 99, np.uint8)).save(path)
    return path


def test_frames_of_a_video_in_order_with_their_times(film: Path, tmp_path: Path) -> None:
    predictor = Predictor()
    results = list(predict_photos(predictor, [film], tmp_path / "out", every=4))
    assert [result.photo for result in results] == [film] * 3
    assert [p.frame for p in predictor.asked] == [0, 4, 8]
    assert [p.timestamp_s for p in predictor.asked] == pytest.approx([0.0, 0.4, 0.8])
    assert [p.path for p in predictor.asked] == [film] * 3
    names = [f"walk_{k:06d}{e}" for k in (0, 4, 8) for e in (".txt", "_more.txt")]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)


def test_a_film_of_what_was_found(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    list(predict_photos(Predictor(), [film], out, every=2, video=True))
    frames = list(iter_frames(out / "walk.mp4"))
    assert [f.timestamp_s for f in frames] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    means = [f.image.mean() for f in frames]
    np.testing.assert_allclose(means, [255 - 40 * k for k in range(5)], atol=4)


def test_a_frame_without_an_answer_is_left_out(film: Path, tmp_path: Path) -> None:
    predictor = Predictor(refused=("#3",))
    results = list(predict_photos(predictor, [film], tmp_path / "out", video=True))
    assert [r.error for r in results if r.answers is None] == [
        f"{film}#3: something else is wanted"
    ]
    assert len([r for r in results if r.answers is not None]) == 8
    assert len(list(iter_frames(tmp_path / "out" / "walk.mp4"))) == 8


def test_a_video_that_breaks_off_keeps_what_came_before(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(film.read_bytes()[:-40])
    photo = save(tmp_path / "photos" / "a.png")
    results = list(predict_photos(Predictor(), [broken, photo], tmp_path / "out", video=True))
    assert results[-1].photo == photo
    assert results[-1].answers is not None
    assert results[-2].answers is None
    assert str(broken) in results[-2].error
    assert not list((tmp_path / "out").glob("*.mp4"))  # whole or absent
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(MediaError, match=r"a video is wanted; .*text.mp4 is text"):
        list(predict_photos(Predictor(), [text]))


def test_a_killed_film_leaves_whole_files_only(film: Path, tmp_path: Path) -> None:
    results = predict_photos(Predictor(), [film], tmp_path / "out", video=True)
    for _ in range(3):
        next(results)
    results.close()  # as Ctrl-C does
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == sorted(f"walk_{k:06d}{e}" for k in range(3) for e in (".txt", "_more.txt"))


def test_no_two_pictures_share_a_file(film: Path, tmp_path: Path) -> None:
    sources = [
        save(tmp_path / "a" / "x.png"),
        save(tmp_path / "b" / "X.jpg"),
        save(tmp_path / "b" / "x_more.png"),  # its .txt is the _more.txt of the first
        save(tmp_path / "b" / "walk_000001.png"),
        film,
    ]
    out = tmp_path / "out"
    results = list(predict_photos(Predictor(), sources, out))
    assert len(results) == 4 + 9
    written = {p.name: p.read_text() for p in out.iterdir()}
    assert len(written) == 2 * 13
    assert written["x.txt"] == str(sources[0])
    assert written["X-2.txt"] == str(sources[1])
    assert written["x_more-2.txt"] == str(sources[2])
    assert written["walk_000001.txt"] == str(sources[3])
    assert written["walk_000001-2.txt"] == f"{film}#1"


def test_names_of_many_photos_of_one_name_are_found_fast(tmp_path: Path) -> None:
    sources = [save(tmp_path / str(k) / "image.png") for k in range(300)]
    list(predict_photos(Predictor(), sources, tmp_path / "out"))
    assert (tmp_path / "out" / "image-300.txt").read_text() == str(sources[-1])


def test_what_is_refused(film: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="another folder than the photos' own is wanted"):
        list(predict_photos(Predictor(), [film], film.parent))
    with pytest.raises(InputError, match="each N-th of a video is wanted, 0 came"):
        list(predict_photos(Predictor(), [film], every=0))
    with pytest.raises(InputError, match=r"gone\.mp4 does not exist"):
        list(predict_photos(Predictor(), [tmp_path / "gone.mp4"]))


def test_what_an_earlier_call_left_is_not_asked_again(tmp_path: Path) -> None:
    """Names are given as before: the first a.png failed, the second took its name."""
    first = save(tmp_path / "one" / "a.png")
    sources = [first, save(tmp_path / "two" / "a.png"), save(tmp_path / "two" / "b.png")]
    before = Predictor(refused=("one",))
    list(predict_photos(before, sources[:2], tmp_path / "out"))

    again = Predictor(refused=("one",))
    results = list(predict_photos(again, sources, tmp_path / "out"))
    assert [asked.path for asked in again.asked] == [sources[0], sources[2]]
    assert [r.kept for r in results] == [False, True, False]
    assert [bool(r.error) for r in results] == [True, False, False]
    mended = Predictor()
    results = list(predict_photos(mended, sources, tmp_path / "out"))
    assert [r.kept for r in results] == [False, False, True]
    assert (tmp_path / "out" / "a.txt").read_text() == str(first)
    assert (tmp_path / "out" / "a-2.txt").read_text() == str(sources[1])


def test_a_full_disk_is_no_fault_of_the_photo(tmp_path: Path) -> None:
    class Full(Answer):
        def write(self, folder: Path, stem: str) -> None:
            raise StorageError("room on the disk is wanted")

    class FullPredictor(Predictor):
        def __call__(self, picture: Picture) -> Answer:
            return Full(picture)

    folder = save(tmp_path / "photos" / "a.png").parent
    save(folder / "b.png")
    with pytest.raises(StorageError, match="room on the disk"):
        list(predict_photos(FullPredictor(), [folder], tmp_path / "out"))


@dataclass
class BatchPredictor(Predictor):
    """Answers for up to ``batch`` at a time; one that is refused spoils its batch."""

    batch: int = 4
    batches: list[int] = field(default_factory=list)

    def answer(self, pictures: Sequence[Picture]) -> list[Answer]:
        self.batches.append(len(pictures))
        return [self(picture) for picture in pictures]


def test_photos_are_asked_about_in_batches_and_stay_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    photos = [save(folder / f"{k}.png") for k in range(11)]
    (folder / "3.png").write_text("no photo")
    predictor = BatchPredictor()
    results = list(predict_photos(predictor, [folder]))
    assert [result.photo for result in results] == photos
    assert [k for k, result in enumerate(results) if result.answers is None] == [3]
    assert predictor.batches == [4, 4, 2]
    assert [result.answers.lines() for result in results if result.answers] == [
        [str(photo)] for photo in photos if photo.name != "3.png"
    ]


def test_who_spoils_a_batch_is_left_out_alone(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    photos = [save(folder / f"{k}.png") for k in range(4)]
    results = list(predict_photos(BatchPredictor(refused=("2.png",)), [folder]))
    assert [result.error for result in results] == [
        "", "", f"{photos[2]}: something else is wanted", "",
    ]  # fmt: skip


def test_batches_end_with_large_pictures_and_with_each_video(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo here has 72 pixels; nine frames come as 4, 4 and one that is asked about alone."""
    photos = [save(tmp_path / "photos" / f"{k}.png") for k in range(3)]
    predictor = BatchPredictor()
    results = list(predict_photos(predictor, [*photos[:2], film, photos[2]]))
    assert [r.photo for r in results] == [*photos[:2], *([film] * 9), photos[2]]
    assert predictor.batches == [2, 4, 4]
    assert [p.frame for p in predictor.asked] == [None, None, *range(9), None]
    monkeypatch.setattr("sightline.app.predict._PIXELS_AHEAD", 144)
    predictor = BatchPredictor()
    list(predict_photos(predictor, [tmp_path / "photos"]))
    assert predictor.batches == [2]


def test_files_are_named_as_without_batches(tmp_path: Path) -> None:
    """The first a.png fails, so the second takes its name: known only once that is asked about."""
    first = save(tmp_path / "one" / "a.png")
    sources = [first, save(tmp_path / "two" / "a.png"), save(tmp_path / "two" / "b.png")]
    predictor = BatchPredictor(refused=("one",))
    list(predict_photos(predictor, sources, tmp_path / "out"))
    assert predictor.batches == []
    assert (tmp_path / "out" / "a.txt").read_text() == str(sources[1])


def test_frames_before_a_break_are_answered(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(film.read_bytes()[:-40])
    alone = list(predict_photos(Predictor(), [broken, save(tmp_path / "photos" / "a.png")]))
    batched = list(predict_photos(BatchPredictor(), [broken, tmp_path / "photos" / "a.png"]))
    assert [bool(r.error) for r in batched] == [bool(r.error) for r in alone]
    assert len(batched) > 2
