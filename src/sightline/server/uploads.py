"""Photos out of a multipart body, kept in memory and within limits."""

from __future__ import annotations

import asyncio
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from sightline.server.problems import ProblemError, plain_problem, problem
from sightline.server.settings import ServerSettings

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

PHOTO_FIELD = "photos"
NAME_FIELD = "filename"
MAX_NAME = 200

REQUEST_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [PHOTO_FIELD],
                "properties": {
                    PHOTO_FIELD: {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "contentMediaType": "application/octet-stream"},
                        "description": "One photo, or several (the field repeats).",
                    },
                    NAME_FIELD: {
                        "type": "array",
                        "items": {"type": "string", "maxLength": MAX_NAME},
                        "description": "The photos' names, one each in order, where the files' own "
                        "names are not wanted.",
                    },
                },
            },
            "encoding": {PHOTO_FIELD: {"contentType": "image/*"}},
        }
    },
}
"""The body as OpenAPI says it."""


@dataclass(frozen=True)
class Upload:
    """One photo file as it came; ``data`` is None where it was over the limit."""

    name: str
    data: bytes | None


async def read_uploads(request: Request, settings: ServerSettings) -> list[Upload]:
    """Return the photos of a request, in order, never touching the disk.

    Raises:
        ProblemError: The body is not multipart, is too large, too slow or broken, or has no photo.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise ProblemError(
            plain_problem(
                415,
                f"multipart/form-data with the field `{PHOTO_FIELD}` is wanted, "
                f"{kind.decode('latin-1') or 'no content type'} came.",
            ),
            {"Accept-Post": "multipart/form-data"},
            close=True,
        )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > settings.max_request_bytes:
        raise _request_too_large(settings)
    reader = _FormReader(settings)
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        received = 0
        async with asyncio.timeout(settings.upload_timeout_s):
            async for chunk in request.stream():
                received += len(chunk)
                if received > settings.max_request_bytes:
                    raise _request_too_large(settings)
                parser.write(chunk)
    except TimeoutError as error:
        raise ProblemError(
            plain_problem(408, f"The upload took over {settings.upload_timeout_s:g} s; try again."),
            close=True,
        ) from error
    except FormParserError as error:
        raise _bad_form(f"The multipart body is broken: {error}.") from error
    return reader.uploads()


@dataclass
class _Part:
    field_name: str = ""
    file_name: str = ""
    data: bytearray = field(default_factory=bytearray)
    too_large: bool = False


class _FormReader:
    """Collects the parts of one body."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._part = _Part()
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._photos: list[_Part] = []
        self._names: list[str] = []
        self._ended = False

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }

    def uploads(self) -> list[Upload]:
        if not self._ended:
            raise _bad_form("The multipart body ends early; send it again.")
        if not self._photos:
            raise ProblemError(
                problem(
                    422,
                    "no-photo",
                    "No photo in the request",
                    f"At least one photo in the field `{PHOTO_FIELD}` is wanted, none came.",
                )
            )
        if self._names and len(self._names) != len(self._photos):
            raise _bad_form(
                f"One `{NAME_FIELD}` a photo is wanted: {len(self._photos)} photos, "
                f"{len(self._names)} names came."
            )
        names = self._names or [part.file_name for part in self._photos]
        return [
            Upload(
                _clean_name(name) or f"photo-{number}",
                None if part.too_large else bytes(part.data),
            )
            for number, (name, part) in enumerate(zip(names, self._photos, strict=True), start=1)
        ]

    def _on_part_begin(self) -> None:
        self._part = _Part()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._header_value))
            self._part.field_name = options.get(b"name", b"").decode("utf-8", "replace")
            self._part.file_name = options.get(b"filename", b"").decode("utf-8", "replace")
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        if self._part.field_name == PHOTO_FIELD:
            if len(self._photos) == self._settings.max_files:
                raise ProblemError(
                    problem(
                        413,
                        "too-many-photos",
                        "Too many photos in one request",
                        f"At most {self._settings.max_files} photos a request are taken; "
                        "send the rest in another.",
                    ),
                    close=True,
                )
            self._photos.append(self._part)
        elif self._part.field_name != NAME_FIELD:
            raise _bad_form(
                f"The fields `{PHOTO_FIELD}` and `{NAME_FIELD}` are wanted, "
                f"`{_clean_name(self._part.field_name)}` came."
            )
        elif len(self._names) == self._settings.max_files:
            raise _bad_form(f"At most {self._settings.max_files} `{NAME_FIELD}` fields are taken.")

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._part
        limit = 4 * MAX_NAME if part.field_name == NAME_FIELD else self._settings.max_file_bytes
        if len(part.data) + end - start > limit:
            # The rest of this part is read past, so that the other photos still get their answer.
            part.too_large = True
            part.data.clear()
        if not part.too_large:
            part.data += data[start:end]

    def _on_part_end(self) -> None:
        part = self._part
        if part.field_name == NAME_FIELD:
            if part.too_large:
                raise _bad_form(f"A `{NAME_FIELD}` of at most {MAX_NAME} characters is wanted.")
            self._names.append(part.data.decode("utf-8", "replace"))
        elif not part.file_name and not part.data and not part.too_large:
            # A browser's form with nothing chosen sends an empty part without a name.
            self._photos.pop()

    def _on_end(self) -> None:
        self._ended = True


def _clean_name(name: str) -> str:
    """Return a name's last path component without control characters, at most MAX_NAME long."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(c for c in last if unicodedata.category(c)[0] != "C")
    return printable.strip()[:MAX_NAME]


def _bad_form(detail: str) -> ProblemError:
    return ProblemError(plain_problem(400, detail), close=True)


def _request_too_large(settings: ServerSettings) -> ProblemError:
    return ProblemError(
        problem(
            413,
            "request-too-large",
            "The upload is too large",
            f"A request of at most {settings.max_request_bytes / 2**20:.1f} MiB is wanted; "
            "send fewer or smaller photos.",
        ),
        close=True,
    )
