"""Errors as problem details (RFC 9457), for every answer that is not a success."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

PROBLEM_JSON = "application/problem+json"

log = logging.getLogger("sightline.server")


class Problem(BaseModel):
    """Why there is no answer (RFC 9457)."""

    type: str = Field(
        description="What kind of problem; about:blank where the status says it all.",
        examples=["urn:sightline:problem:unreadable-photo"],
    )
    title: str = Field(description="The kind of problem, in words.")
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What was wanted, what came, what to do.")
    instance: str | None = Field(
        default=None, description="Names this occurrence in the server's log, where it is there."
    )


class ProblemError(Exception):
    """A failure to be answered as a problem."""

    def __init__(
        self, problem: Problem, headers: Mapping[str, str] | None = None, *, close: bool = False
    ) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})
        if close:
            self.headers["Connection"] = "close"


class ProblemResponse(JSONResponse):
    """A problem on the wire."""

    media_type = PROBLEM_JSON

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(
            problem.model_dump(exclude_none=True),
            status_code=problem.status,
            headers={"Cache-Control": "no-store", **(headers or {})},
        )


def problem(status: int, kind: str, title: str, detail: str) -> Problem:
    """Return a problem of one of this service's own kinds."""
    return Problem(type=f"urn:sightline:problem:{kind}", title=title, status=status, detail=detail)


def plain_problem(status: int, detail: str | None = None) -> Problem:
    """Return a problem which its HTTP status describes fully."""
    phrase = HTTPStatus(status).phrase
    return Problem(type="about:blank", title=phrase, status=status, detail=detail or phrase)


def internal_problem(error: BaseException, doing: str) -> Problem:
    """Log an unexpected error under a new id; return a problem which tells the id and no more."""
    instance = f"urn:uuid:{uuid.uuid4()}"
    log.error("%s failed (%s)", doing, instance, exc_info=error)
    return Problem(
        type="about:blank",
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=500,
        detail="The server failed on this; its log has the reason under the given instance.",
        instance=instance,
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Answer every error the framework or the routes raise as a problem."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_validation)


def problem_response(description: str) -> dict[str, Any]:
    """Return a problem as an OpenAPI response object."""
    return {
        "description": description,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


async def _on_problem(_request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, ProblemError):
        raise error
    return ProblemResponse(error.problem, error.headers)


async def _on_http(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, HTTPException):
        raise error
    detail = {
        404: f"There is nothing at {request.url.path}; the API is described at /openapi.json.",
        405: f"{request.method} is not possible at {request.url.path}.",
    }.get(error.status_code, str(error.detail))
    return ProblemResponse(plain_problem(error.status_code, detail), error.headers)


async def _on_validation(_request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()
    )
    return ProblemResponse(plain_problem(422, faults))
