"""A task's answers for photos and folders of them; one broken photo does not stop a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError, SightlineError
from sightline.media import list_photos, read_photo, write_photo
from sightline.records.files import atomic_path
from sightline.tasks import PhotoAnswers, PhotoPredictor


@dataclass(frozen=True, eq=False)
class PhotoResult:
    """What came of one photo: answers, or why there are none.

    Attributes:
        photo: The file.
        answers: None where it failed.
        error: Why it failed, naming the file; empty otherwise.
    """

    photo: Path
    answers: PhotoAnswers | None
    error: str = ""


def photos_of(sources: Sequence[Path]) -> list[Path]:
    """Return the photos of files and folders, in order.

    Raises:
        InputError: No source, or one that does not exist.
        MediaError: A folder without photos.
    """
    if not sources:
        raise InputError("a photo or a folder of photos is wanted, nothing came")
    photos: list[Path] = []
    for source in sources:
        if not source.exists():  # a run folder with a slip in its name is no broken photo
            raise InputError(
                f"a photo, a folder of photos or a run folder is wanted; {source} does not exist"
            )
        photos += list_photos(source) if source.is_dir() else [source]
    return photos


def predict_photos(
    predictor: PhotoPredictor, sources: Sequence[Path], out: Path | None = None
) -> Iterator[PhotoResult]:
    """Yield the answers for photos, one by one.

    A photo that cannot be answered becomes a result with an error, and the others go on.

    Args:
        predictor: What answers.
        sources: Photos and folders of photos.
        out: Folder for each photo with what was found drawn on it, under its own name as ``.jpg``.

    Raises:
        InputError: No source; or ``out`` holds some of the photos themselves.
        SightlineError: The only photo of all, itself named, cannot be answered.
    """
    photos = photos_of(sources)
    alone = len(sources) == 1 and not sources[0].is_dir()
    targets = _targets(photos, out) if out is not None else {}
    for photo in photos:
        try:
            answers = predictor(str(photo), read_photo(photo))
        except SightlineError as error:
            if alone:
                raise
            yield PhotoResult(photo, None, _naming(photo, str(error)))
            continue
        if photo in targets:
            with atomic_path(targets[photo]) as temporary:
                write_photo(temporary, answers.picture())
        yield PhotoResult(photo, answers)


def _targets(photos: Sequence[Path], out: Path) -> dict[Path, Path]:
    """Return a file in ``out`` for each photo, no two the same.

    Raises:
        InputError: Drawings would lie among the photos, or take their place.
    """
    if any(photo.resolve().parent == out.resolve() for photo in photos):
        raise InputError(f"another folder than the photos' own is wanted for --out, {out} came")
    targets: dict[Path, Path] = {}
    taken: set[str] = set()
    for photo in photos:
        name, count = photo.stem, 1
        while name.casefold() in taken:
            count += 1
            name = f"{photo.stem}-{count}"
        taken.add(name.casefold())
        targets[photo] = out / f"{name}.jpg"
    return targets


def _naming(photo: Path, message: str) -> str:
    return message if str(photo) in message else f"{photo}: {message}"
