"""The FastAPI application: routers, problem documents, security headers, health, pages."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ValidationError
from sqlalchemy import text
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crm_core.errors import Ambiguous, RapportError
from integrations.app import Rapport
from integrations.http import (
    account,
    activities,
    changes,
    chat,
    companies,
    contacts,
    deals,
    leads,
    metrics,
    notes,
    policy,
    products,
    tickets,
    users,
    words,
)

log = logging.getLogger(__name__)

PAGES = Path(__file__).parent.parent / "web" / "static"
MAX_BODY_BYTES = 1_000_000
FAILED = "Something went wrong on our side and nothing was changed. Try again; if it happens again, tell an administrator."
#: Requests that may wait in a thread at once; a little more than the database's connections.
THREADS = 40
STATUS = {
    "not_found": 404,
    "invalid": 422,
    "not_allowed": 403,
    "conflict": 409,
    "ambiguous": 409,
    "needs_approval": 409,
    "unauthorised": 401,
    "precondition_needed": 428,
    "error": 500,
    "unknown_tool": 422,
}
CONTENT_SECURITY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


class Problem(BaseModel):
    """An error as ``application/problem+json`` (RFC 9457): ``detail`` is a sentence that says what to do next."""

    title: str
    status: int
    detail: str
    code: str
    details: dict[str, Any] = {}


def problem(status: int, code: str, detail: str, details: dict[str, Any] | None = None) -> JSONResponse:
    """A problem document."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, code=code, details=details or {})
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(jsonable_encoder(body), status, media_type="application/problem+json", headers=headers)


def build_app(product: Rapport) -> FastAPI:
    """The application of one assembled product."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        product.index.start()
        yield
        product.close()

    app = FastAPI(
        title="Rapport",
        version="0.1.0",
        description="The CRM you talk to. Authenticate with 'Authorization: Bearer KEY'.",
        lifespan=lifespan,
        responses={status: {"model": Problem, "content": {"application/problem+json": {}}} for status in (401, 403, 404, 409, 413, 422, 428)},
    )
    app.state.rapport = product
    for module in (chat, metrics, companies, contacts, leads, deals, tickets, products, users, activities, words, changes, notes, policy, account):
        app.include_router(module.router)
    _add_problems(app)
    app.add_middleware(Guard)
    _add_health(app, product)
    _add_pages(app)
    if product.settings.slack_signing_secret.get_secret_value():
        _add_slack(app, product)
    return app


def _add_problems(app: FastAPI) -> None:
    @app.exception_handler(RapportError)
    def _known(request: Request, error: RapportError) -> JSONResponse:
        status = STATUS.get(error.code, 400)
        if error.code == "conflict" and request.headers.get("if-match") and "version" in error.details:
            status = 412
        details = dict(error.details)
        if isinstance(error, Ambiguous):
            details["candidates"] = [jsonable_encoder(item) for item in error.candidates]
        return problem(status, error.code, error.message, details)

    @app.exception_handler(RequestValidationError)
    def _request(_request: Request, error: RequestValidationError) -> JSONResponse:
        return problem(422, "invalid", _sentence(error.errors()))

    @app.exception_handler(ValidationError)
    def _arguments(_request: Request, error: ValidationError) -> JSONResponse:
        return problem(422, "invalid", _sentence(error.errors()))

    @app.exception_handler(HTTPException)
    def _http(_request: Request, error: HTTPException) -> JSONResponse:
        sentence = {
            400: "The body cannot be read as JSON; send a valid JSON object.",
            404: "There is nothing at this address; see /docs for what there is.",
            405: "This address does not take that method; see /docs.",
        }
        return problem(error.status_code, "http", sentence.get(error.status_code, str(error.detail)))


def _sentence(errors: Any) -> str:
    parts = [
        f"{'.'.join(str(step) for step in item['loc'] if step not in ('body', 'query', 'path')) or 'the request'}: {item['msg']}"
        for item in list(errors)[:4]
    ]
    return "The request cannot be used: " + "; ".join(parts) + ". See /docs for what is expected."


class Guard:
    """The outermost layer: bounds the body while it arrives, sets security headers on every response, answers for unknown errors."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a counted body and a send that adds headers."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        started = refusing = False
        arrived = 0

        async def counted() -> Message:
            nonlocal arrived
            message = await receive()
            arrived += len(message.get("body", b""))
            if arrived > MAX_BODY_BYTES:
                raise TooLarge
            return message

        async def guarded(message: Message) -> None:
            nonlocal started
            if arrived > MAX_BODY_BYTES and not refusing:
                return  # whatever the application made of the cut body, the answer is 413
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Referrer-Policy", "no-referrer")
                if not path.startswith(("/docs", "/redoc")):
                    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY)
                if path.startswith("/api"):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        length = dict(scope["headers"]).get(b"content-length", b"0")
        try:
            if not length.isdigit() or int(length[:20]) > MAX_BODY_BYTES:
                raise TooLarge
            await self.app(scope, counted, guarded)
            if arrived > MAX_BODY_BYTES:
                raise TooLarge
        except TooLarge:
            refusing = True
            await problem(413, "invalid", f"The request is larger than {MAX_BODY_BYTES:,} bytes; send less at once.")(scope, receive, guarded)
        except Exception:
            log.exception("A request failed.")
            if started:
                raise
            await problem(500, "error", FAILED)(scope, receive, guarded)


class TooLarge(Exception):
    """The body is larger than this server takes."""


def _add_health(app: FastAPI, product: Rapport) -> None:
    @app.head("/health", include_in_schema=False)
    @app.get("/health", tags=["health"])
    def health() -> dict[str, str]:
        """Whether the process runs."""
        return {"status": "ok"}

    @app.get("/ready", tags=["health"])
    def ready(response: Response) -> dict[str, str]:
        """Whether it can answer: the database must; the index is told, and may be rebuilding."""
        try:
            with product.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except Exception:  # noqa: BLE001 - any failure means not ready
            response.status_code = 503
            return {"status": "no database", "index": product.index.state}
        return {"status": "ok", "index": product.index.state}


def _add_slack(app: FastAPI, product: Rapport) -> None:
    """Slack's events over HTTP; Bolt checks the signature of each request. The CRM starts whether Slack answers or not."""
    from slack_bolt import BoltRequest
    from slack_bolt.adapter.starlette.handler import to_starlette_response

    from integrations.slack.app import build_slack_app

    slack = build_slack_app(product, token_verification=False)

    @app.post("/slack/events", include_in_schema=False)
    async def slack_events(request: Request) -> Response:
        try:
            sent = BoltRequest(body=(await request.body()).decode(), query=str(request.query_params), headers=dict(request.headers))
        except ValueError:
            return Response("The body is no JSON that Slack would send.", status_code=400, media_type="text/plain")
        # Bolt is synchronous and waits for the listeners' acknowledgement; the event loop does not.
        response: Response = to_starlette_response(await run_in_threadpool(slack.dispatch, sent))
        return response


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    def page() -> FileResponse:
        return FileResponse(PAGES / "index.html")

    app.mount("/static", StaticFiles(directory=PAGES), name="static")
