"""The dashboard's files, built from ``web/``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC_DIR = Path(__file__).parent / "static"

_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sightline: the dashboard is not built</title>
<h1>The dashboard is not built</h1>
<p>The API works (<a href="openapi.json">its description</a>), the page's files are missing.
Build them once, then start the server again:</p>
<pre>make            # or: cd web &amp;&amp; npm ci &amp;&amp; npm run build</pre>
</html>
"""


class _Assets(StaticFiles):
    """Files whose names hold a digest of their content: browsers keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def mount_dashboard(app: FastAPI, static_dir: Path = STATIC_DIR) -> None:
    """Serve the built dashboard at ``/``, or a page that tells how to build it.

    Each file gets its own route: a mount at ``/`` would also take the API's paths, and answer a
    wrong method there with 404.
    """
    if not (static_dir / "index.html").is_file():

        @app.get("/", include_in_schema=False)
        async def not_built() -> HTMLResponse:
            return HTMLResponse(_NOT_BUILT, status_code=503, headers={"Cache-Control": "no-store"})

        return
    app.mount("/assets", _Assets(directory=static_dir / "assets"), name="assets")
    for file in sorted(static_dir.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            path = "/" if file.name == "index.html" else f"/{file.name}"
            app.add_route(path, _file_route(file), include_in_schema=False)


def _file_route(file: Path) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        return FileResponse(file, headers={"Cache-Control": "no-cache"})

    return answer
