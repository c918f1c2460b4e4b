"""The API's routes."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from sightline.server.pictures import Picture, picture_response
from sightline.server.problems import Problem, ProblemError, problem, problem_response
from sightline.server.schemas import FailedPhoto, Health, Localization, LocalizeAnswer, PlaceInfo
from sightline.server.service import Service
from sightline.server.uploads import REQUEST_BODY, read_uploads

router = APIRouter()


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


ServiceOf = Annotated[Service, Depends(_service)]

_PICTURE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The picture.", "content": {"image/png": {}}},
    304: {"description": "The client has this picture (If-None-Match)."},
    404: problem_response("The place has no such picture."),
}

_EXAMPLE = {
    "results": [
        {
            "image": "hall.jpg",
            "status": "refined",
            "q_wxyz": [0.5, -0.5, 0.5, -0.5],
            "center": [12.41, 3.02, 1.58],
            "unit": "m",
            "plan_xy_px": [496.4, 220.8],
            "walkable_xy_px": [496.4, 220.8],
            "on_walkable": True,
            "heading_deg": 90.0,
            "confidence": 0.93,
            "inliers": 107,
            "seconds": 0.31,
        },
        {
            "image": "notes.txt",
            "status": "failed",
            "problem": {
                "type": "urn:sightline:problem:unsupported-photo",
                "title": "Not a kind of photo this service reads",
                "status": 415,
                "detail": "notes.txt: a JPEG, PNG, WebP or TIFF photo is wanted, something else "
                "came; export it as JPEG.",
            },
        },
    ]
}


@router.get("/healthz", tags=["service"], responses={503: problem_response("Not working.")})
async def healthz(service: ServiceOf) -> Health:
    """Tell whether the service can answer, and with what."""
    if not service.alive:
        raise ProblemError(
            problem(503, "not-working", "The service cannot answer", "The worker has stopped.")
        )
    return Health(
        status="ok",
        place=service.place_info.name,
        unit=service.place_info.unit,
        models=service.models,
        requests=service.requests,
    )


@router.get("/api/place", tags=["place"])
async def place(service: ServiceOf) -> PlaceInfo:
    """Describe the place: its plan, the answers there are, and what an upload may be."""
    return service.place_info


@router.get("/api/plan.png", tags=["place"], response_class=Response, responses=_PICTURE_RESPONSES)
async def plan_png(request: Request, service: ServiceOf) -> Response:
    """Return the floor plan."""
    return _answer(request, service.plan_picture, "floor plan")


@router.get(
    "/api/plan/forbidden.png",
    tags=["place"],
    response_class=Response,
    responses=_PICTURE_RESPONSES,
)
async def forbidden_png(request: Request, service: ServiceOf) -> Response:
    """Return a transparent picture of the plan's size, red where one cannot walk."""
    return _answer(request, service.forbidden_picture, "walkable mask")


@router.post(
    "/api/localize",
    tags=["localize"],
    openapi_extra={"requestBody": REQUEST_BODY},
    responses={
        200: {"content": {"application/json": {"example": _EXAMPLE}}},
        400: problem_response("The form is broken."),
        408: problem_response("The upload took too long."),
        413: problem_response("Too many bytes, or too many photos."),
        415: problem_response("Not multipart/form-data, or the one photo is of another kind."),
        422: problem_response(
            "No photo, or the one photo sent cannot be read, or is of too little use."
        ),
        500: problem_response("The server failed; its log tells why."),
        503: problem_response("Busy or stopping; Retry-After tells when to come back."),
    },
)
async def localize(request: Request, service: ServiceOf) -> LocalizeAnswer:
    """Tell where photos were taken.

    One photo: its answer, or a problem where it cannot be read. Several photos: always 200 with
    one entry a photo, in order; a photo that cannot be worked on has status `failed` and its
    problem, and does not touch the others.
    """
    with service.admitted():
        uploads = await read_uploads(request, service.settings)
        outcomes = await service.localize(uploads, request.is_disconnected)
    if len(outcomes) == 1 and isinstance(outcomes[0], Problem):
        raise ProblemError(outcomes[0])
    results: list[Localization | FailedPhoto] = [
        FailedPhoto(image=upload.name, problem=outcome) if isinstance(outcome, Problem) else outcome
        for upload, outcome in zip(uploads, outcomes, strict=bool(outcomes))
    ]
    return LocalizeAnswer(results=results)


def _answer(request: Request, picture: Picture | None, what: str) -> Response:
    if picture is None:
        raise ProblemError(
            problem(
                404,
                "no-plan",
                f"This place has no {what}",
                f"Attach a {what} with `sightline align`, then start the server again.",
            )
        )
    return picture_response(picture, request.headers.get("if-none-match"))
