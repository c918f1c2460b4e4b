"""A task's answers for photos, folders of them, videos; one broken photo does not stop a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.media import iter_frames, list_photos, read_photo, video_writer
from sightline.tasks import BatchPredictor, PhotoAnswers, PhotoPredictor, Picture

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".ogv"),
)
"""A file that ends so is read as a video."""

#: Pictures that wait for their answers together have about this many pixels, 3 bytes each.
_PIXELS_AHEAD = 48_000_000


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """What came of one photo, or of one frame of a video: answers, or why there are none.

    Attributes:
        photo: The file.
        answers: None where it failed.
        error: Why it failed, naming the file; empty otherwise.
        kept: Whether the answers are an earlier call's.
    """

    photo: Path
    answers: PhotoAnswers | None
    error: str = ""
    kept: bool = False


def files_of(sources: Sequence[Path]) -> list[Path]:
    """Return the photos and videos of files and folders (of these only the photos), in order.

    Raises:
        InputError: No source, or one that does not exist.
        MediaError: A folder without photos.
    """
    if not sources:
        raise InputError("a photo, a folder of photos or a video is wanted, nothing came")
    files: list[Path] = []
    for source in sources:
        if not source.exists():  # a run folder with a slip in its name is no broken photo
            raise InputError(
                "a photo, a folder of photos, a video or a run folder is wanted; "
                f"{source} does not exist"
            )
        files += list_photos(source) if source.is_dir() else [source]
    return files


def predict_photos(
    predictor: PhotoPredictor,
    sources: Sequence[Path],
    out: Path | None = None,
    *,
    every: int = 1,
    video: bool = False,
) -> Iterator[PhotoResult]:
    """Yield the answers for photos and the frames of videos, one by one.

    A photo that cannot be answered becomes a result with an error, and the others go on. One whose
    answers an earlier call left in ``out`` is not read again; a video begins again.

    Args:
        predictor: What answers.
        sources: Photos, folders of photos, videos.
        out: Folder for the answers' files, under the photo's own name; a frame's is that of the
            video and its index, as in ``walk_000123``.
        every: Of a video, take each ``every``-th frame.
        video: Also write the answers' pictures of a video as ``NAME.mp4``, in ``out``.

    Raises:
        InputError: No source; or ``out`` holds some of the photos themselves.
        SightlineError: The only photo or video of all, itself named, cannot be answered.
    """
    files = files_of(sources)
    if every < 1:
        raise InputError(f"every frame (1) or each N-th of a video is wanted, {every} came")
    if out is not None and any(file.resolve().parent == out.resolve() for file in files):
        raise InputError(f"another folder than the photos' own is wanted for --out, {out} came")
    call = _Call(predictor, out, every, video, _Stems(predictor.endings))
    alone = len(sources) == 1 and not sources[0].is_dir()
    for are_videos, group in groupby(files, key=_is_video):
        for result in (call.videos if are_videos else call.photos)(group):
            if not isinstance(result, _Broken):
                yield result
            elif alone:
                raise result.error from None
            else:
                yield PhotoResult(result.file, None, _naming(result.file, str(result.error)))


@dataclass(frozen=True, eq=False)
class _Broken:
    """A photo or a video that cannot be answered as a whole."""

    file: Path
    error: SightlineError


#: What needs no asking: the answers of an earlier call, or a failure.
_Settled: TypeAlias = PhotoResult | _Broken


@dataclass(frozen=True, eq=False)
class _Call:
    """One call's wishes, as :func:`predict_photos` has them; and the names it has given."""

    predictor: PhotoPredictor
    out: Path | None
    every: int
    video: bool
    stems: _Stems

    def photos(self, files: Iterable[Path]) -> Iterator[_Settled]:
        """Yield what came of each photo."""
        # The name of a photo's files depends on whether those before it were answered.
        ahead = 1 if self.out is not None else _batch(self.predictor)
        for item in _answered(self.predictor, self._asked(files), ahead):
            if not isinstance(item, tuple):
                yield item
                continue
            picture, answers = item
            file = picture.path or Path(picture.name)
            if isinstance(answers, SightlineError):
                yield _Broken(file, answers)
                continue
            if self.out is not None:
                answers.write(self.out, self.stems.new(file.stem))
            yield PhotoResult(file, answers)

    def _asked(self, files: Iterable[Path]) -> Iterator[Picture | _Settled]:
        """Yield the photos to ask about, and what needs no asking."""
        for file in files:
            if self.out is not None:
                kept = self.predictor.kept(file, self.out, self.stems.next(file.stem))
                if kept is not None:
                    self.stems.new(file.stem)
                    yield PhotoResult(file, kept, kept=True)
                    continue
            try:
                picture = Picture(str(file), read_photo(file), file)
            except SightlineError as error:
                yield _Broken(file, error)
            else:
                yield picture

    def videos(self, files: Iterable[Path]) -> Iterator[_Settled]:
        """Yield what came of each frame of each video."""
        for file in files:
            try:
                yield from self._video(file)
            except _UnreadableError as failed:
                yield failed.said

    def _video(self, file: Path) -> Iterator[PhotoResult]:
        film = self.stems.new(file.stem, (".mp4",))
        target = self.out / f"{film}.mp4" if self.video and self.out is not None else None
        frames = _frames(file, self.every)
        with ExitStack() as stack:
            write: Callable[[NDArray[np.uint8], float], None] | None = None
            for item in _answered(self.predictor, frames, _batch(self.predictor)):
                if not isinstance(item, tuple):
                    raise _UnreadableError(item)  # the film of what came before is thrown away
                picture, answers = item
                if isinstance(answers, SightlineError):
                    error = _naming(file, _naming(Path(picture.name), str(answers)))
                    yield PhotoResult(file, None, error)
                    continue
                if target is not None:
                    write = write or stack.enter_context(video_writer(target))
                    drawn = answers.picture()
                    height, width = (side - side % 2 for side in drawn.shape[:2])
                    write(drawn[:height, :width], picture.timestamp_s or 0.0)
                if self.out is not None:
                    answers.write(self.out, self.stems.new(f"{film}_{picture.frame:06d}"))
                yield PhotoResult(file, answers)


class _UnreadableError(Exception):
    """A video cannot be read on; an answer that cannot be written is another matter."""

    def __init__(self, said: _Settled) -> None:
        super().__init__(str(said.error))
        self.said = said


def _frames(file: Path, every: int) -> Iterator[Picture | _Settled]:
    """Yield a video's frames, each ``every``-th; where it breaks off, why."""
    try:
        for frame in iter_frames(file):
            if frame.index % every == 0:
                name = f"{file}#{frame.index}"
                yield Picture(name, frame.image, file, frame.index, frame.timestamp_s)
    except SightlineError as error:
        yield _Broken(file, error)


def _batch(predictor: PhotoPredictor) -> int:
    return max(1, predictor.batch) if isinstance(predictor, BatchPredictor) else 1


def _answered(
    predictor: PhotoPredictor, asked: Iterable[Picture | _Settled], ahead: int
) -> Iterator[tuple[Picture, PhotoAnswers | SightlineError] | _Settled]:
    """Yield each picture with what came of it, and what is no picture as it is; in order.

    Args:
        predictor: What answers.
        asked: Pictures, and what needs no answer.
        ahead: How many pictures are read before they are answered together, at most; large ones
            are answered sooner, so that memory is enough.
    """
    waiting: list[Picture | _Settled] = []
    pixels = pictures = 0
    for item in asked:
        waiting.append(item)
        if isinstance(item, Picture):
            pictures += 1
            pixels += item.image.shape[0] * item.image.shape[1]
        if pictures >= ahead or pixels >= _PIXELS_AHEAD or pictures == 0:
            yield from _ask(predictor, waiting)
            waiting, pixels, pictures = [], 0, 0
    yield from _ask(predictor, waiting)


def _ask(
    predictor: PhotoPredictor, waiting: Sequence[Picture | _Settled]
) -> Iterator[tuple[Picture, PhotoAnswers | SightlineError] | _Settled]:
    pictures = [item for item in waiting if isinstance(item, Picture)]
    together: Iterator[PhotoAnswers] | None = None
    if len(pictures) > 1 and isinstance(predictor, BatchPredictor):
        # One of them may be to blame: each is then asked about alone.
        with suppress(SightlineError):
            together = iter(predictor.answer(pictures))
    for item in waiting:
        if not isinstance(item, Picture):
            yield item
        elif together is not None:
            yield item, next(together)
        else:
            yield item, _alone(predictor, item)


def _alone(predictor: PhotoPredictor, picture: Picture) -> PhotoAnswers | SightlineError:
    try:
        return predictor(picture)
    except SightlineError as error:
        return error


def _is_video(file: Path) -> bool:
    return file.suffix.lower() in VIDEO_SUFFIXES


class _Stems:
    """Names for the files of pictures, no two of which get one file.

    Args:
        endings: What follows the name in those of a picture's files.
    """

    def __init__(self, endings: Sequence[str]) -> None:
        self._endings = tuple(endings)
        self._taken: set[str] = set()
        self._count: dict[str, int] = {}

    def new(self, stem: str, endings: Sequence[str] = ()) -> str:
        """Return ``stem``, or ``stem-2`` and so on where its files are another's already."""
        name, count = self._free(stem, endings)
        self._taken |= self._files(name, endings)
        self._count[stem.casefold()] = count
        return name

    def next(self, stem: str) -> str:
        """Return what :meth:`new` would, and take nothing."""
        return self._free(stem, ())[0]

    def _free(self, stem: str, endings: Sequence[str]) -> tuple[str, int]:
        name, count = stem, self._count.get(stem.casefold(), 1)
        while not self._taken.isdisjoint(self._files(name, endings)):
            count += 1
            name = f"{stem}-{count}"
        return name, count

    def _files(self, name: str, endings: Sequence[str]) -> set[str]:
        return {(name + ending).casefold() for ending in endings or self._endings}


def _naming(photo: Path, message: str) -> str:
    return message if str(photo) in message else f"{photo}: {message}"
