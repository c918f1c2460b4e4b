"""From uploaded bytes to answers, in the worker's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sightline.errors import MediaError, SightlineError
from sightline.media.photo import photo_kind
from sightline.server.localizer import LocalizationLike, LocalizerLike
from sightline.server.problems import Problem, internal_problem, problem
from sightline.server.schemas import Localization
from sightline.server.settings import ServerSettings
from sightline.server.uploads import Upload

Outcome = Localization | Problem


@dataclass(frozen=True)
class DecodedPhoto:
    """Pixels and what EXIF says of the lens.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright.
        focal_px: Focal length in pixels of ``image``, None where EXIF does not tell.
    """

    image: NDArray[np.uint8]
    focal_px: float | None


Decode = Callable[[bytes], DecodedPhoto]


class VerdictLike(Protocol):
    """What a gate says of a photo (``sightline.tasks.utility.gate``).

    Attributes:
        score: Probability that the photo can be localised.
        reason: Why it is low, as in "too blurred".
    """

    @property
    def score(self) -> float: ...  # noqa: D102

    @property
    def reason(self) -> str: ...  # noqa: D102


Judge = Callable[[NDArray[np.uint8]], VerdictLike]


class PhotoPipeline:
    """Decodes a batch, localises it in one call, and keeps one photo's failure to that photo."""

    def __init__(
        self,
        localizer: LocalizerLike,
        decode: Decode,
        settings: ServerSettings,
        judge: Judge | None = None,
    ) -> None:
        """Use one localiser.

        Args:
            localizer: Where photos were taken.
            decode: Raises MediaError for what is no readable photo.
            settings: Limits.
            judge: Says whether a photo is of use, where ``min_utility`` is asked for.
        """
        self._localizer = localizer
        self._judge = judge
        self._decode = decode
        self._settings = settings

    def run(self, uploads: Sequence[Upload]) -> list[Outcome]:
        """Return one answer or problem a photo, in order.

        Photos are decoded here and not when they arrive, so at most one batch is in memory as
        pixels however many requests wait.
        """
        outcomes: list[Outcome | None] = []
        photos: list[DecodedPhoto] = []
        for upload in uploads:
            decoded = self._decode_or_problem(upload)
            if isinstance(decoded, DecodedPhoto):
                decoded = self._refusal(decoded, upload.name) or decoded
            if isinstance(decoded, DecodedPhoto):
                photos.append(decoded)
                outcomes.append(None)
            else:
                outcomes.append(decoded)
        names = [u.name for u, o in zip(uploads, outcomes, strict=True) if o is None]
        answers = iter(self._localize(photos, names))
        return [next(answers) if outcome is None else outcome for outcome in outcomes]

    def _decode_or_problem(self, upload: Upload) -> DecodedPhoto | Problem:
        if upload.data is None:
            limit = self._settings.max_file_bytes / 2**20
            return problem(
                413,
                "photo-too-large",
                "The photo is too large",
                f"{upload.name}: a photo of at most {limit:.1f} MiB is wanted, a larger one came.",
            )
        try:
            return self._decode(upload.data)
        except MediaError as error:
            return _unreadable(upload.name, upload.data, error)
        except Exception as error:
            # A decoder's surprise must not fail its batch.
            return internal_problem(error, f"decoding {upload.name!r}")

    def _refusal(self, photo: DecodedPhoto, name: str) -> Problem | None:
        """Return why a photo is not worth the attempt; None where it is."""
        wanted = self._settings.min_utility
        if self._judge is None or wanted <= 0:
            return None
        try:
            verdict = self._judge(photo.image)
        except Exception as error:
            return internal_problem(error, f"judging {name!r}")
        if verdict.score >= wanted:
            return None
        return problem(
            422,
            "photo-of-no-use",
            "The photo is of no use",
            f"{name}: this photo is {verdict.reason}: take another (score {verdict.score:.2f}, "
            f"{wanted:.2f} wanted)",
        )

    def _localize(self, photos: Sequence[DecodedPhoto], names: Sequence[str]) -> list[Outcome]:
        if not photos:
            return []
        try:
            answers = self._localizer.localize(
                [p.image for p in photos], names, focals_px=[p.focal_px for p in photos]
            )
            return [_validated(answer) for answer in _counted(answers, len(photos))]
        except Exception as error:
            if len(photos) == 1:
                return [_failure(error, names[0])]
        # One photo can spoil a batch for strangers: ask again one by one.
        return [self._localize([p], [n])[0] for p, n in zip(photos, names, strict=True)]


def _unreadable(name: str, data: bytes, error: MediaError) -> Problem:
    kind = photo_kind(data[:16])
    if data and kind in (None, "HEIC or AVIF"):
        return problem(
            415,
            "unsupported-photo",
            "Not a kind of photo this service reads",
            f"{name}: a JPEG, PNG, WebP or TIFF photo is wanted, {kind or 'something else'} came; "
            "export it as JPEG.",
        )
    return problem(422, "unreadable-photo", "The photo cannot be read", f"{name}: {error}")


def _counted(answers: Sequence[LocalizationLike], count: int) -> Sequence[LocalizationLike]:
    if len(answers) != count:
        raise RuntimeError(f"the localiser gave {len(answers)} answers for {count} photos")
    return answers


def _validated(answer: LocalizationLike) -> Localization:
    return Localization.model_validate(answer.to_json())


def _failure(error: Exception, name: str) -> Problem:
    if isinstance(error, SightlineError):
        return problem(422, "cannot-localize", "This photo cannot be localised", f"{name}: {error}")
    return internal_problem(error, f"localising {name!r}")
