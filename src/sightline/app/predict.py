"""A task's answers for photos, folders of them, videos; one broken photo does not stop a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sightline.errors import InputError, SightlineError
from sightline.media import VideoFrame, iter_frames, list_photos, read_photo, video_writer
from sightline.tasks import PhotoAnswers, PhotoPredictor, Picture

VIDEO_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".asf"),
    *(".mpg", ".mpeg", ".ts", ".mts", ".ogv"),
)
"""A file that ends so is read as a video."""


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
    alone = len(sources) == 1 and not sources[0].is_dir()
    if every < 1:
        raise InputError(f"every frame (1) or each N-th of a video is wanted, {every} came")
    if out is not None and any(file.resolve().parent == out.resolve() for file in files):
        raise InputError(f"another folder than the photos' own is wanted for --out, {out} came")
    stems = _Stems(predictor.endings)
    for file in files:
        film = file.stem
        results: Iterator[tuple[int | None, PhotoAnswers | SightlineError]]
        try:
            if file.suffix.lower() in VIDEO_SUFFIXES:
                film = stems.new(file.stem, (".mp4",))
                target = out / f"{film}.mp4" if video and out is not None else None
                results = _of_video(predictor, file, every, target)
            else:
                kept = None if out is None else predictor.kept(file, out, stems.next(file.stem))
                if kept is not None:
                    stems.new(file.stem)
                    yield PhotoResult(file, kept, kept=True)
                    continue
                results = iter([(None, _of_photo(predictor, file))])
            for frame, answers in results:
                if isinstance(answers, SightlineError):
                    yield PhotoResult(file, None, _naming(file, str(answers)))
                    continue
                if out is not None:
                    answers.write(out, stems.new(film if frame is None else f"{film}_{frame:06d}"))
                yield PhotoResult(file, answers)
        except _UnreadableError as failed:
            if alone:
                raise failed.error from None
            yield PhotoResult(file, None, _naming(file, str(failed.error)))


class _UnreadableError(Exception):
    """A photo or a video gives no answers; an answer that cannot be written is another matter."""

    def __init__(self, error: SightlineError) -> None:
        super().__init__(str(error))
        self.error = error


def _of_photo(predictor: PhotoPredictor, file: Path) -> PhotoAnswers:
    try:
        return predictor(Picture(str(file), read_photo(file), file))
    except SightlineError as error:
        raise _UnreadableError(error) from error


def _of_video(
    predictor: PhotoPredictor, file: Path, every: int, target: Path | None
) -> Iterator[tuple[int | None, PhotoAnswers | SightlineError]]:
    """Yield each frame's index and what came of it; ``target`` gets the answers' pictures."""
    frames = iter_frames(file)
    with ExitStack() as stack:
        write: Callable[[NDArray[np.uint8], float], None] | None = None
        while (frame := _next_frame(frames)) is not None:
            if frame.index % every:
                continue
            name = f"{file}#{frame.index}"
            try:
                answers = predictor(
                    Picture(name, frame.image, file, frame.index, frame.timestamp_s)
                )
            except SightlineError as error:
                yield frame.index, type(error)(_naming(Path(name), str(error)))
                continue
            if target is not None:
                write = write or stack.enter_context(video_writer(target))
                drawn = answers.picture()
                height, width = (side - side % 2 for side in drawn.shape[:2])
                write(drawn[:height, :width], frame.timestamp_s)
            yield frame.index, answers


def _next_frame(frames: Iterator[VideoFrame]) -> VideoFrame | None:
    try:
        return next(frames, None)
    except SightlineError as error:
        raise _UnreadableError(error) from error


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
