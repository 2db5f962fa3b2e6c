"""Who may talk to the server: the right Host, the right Origin and the right token, all three.

The Host is checked because a foreign name can be made to point here (DNS rebinding), the Origin because a browser lets
any page open a WebSocket to any address, the token because this machine may have other users.
"""

from __future__ import annotations

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from neural_env.play.doors import Doors

OPEN_PATHS = ("/health",)  # which need no token

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses with 403, and gives every answer the headers that keep other sites out."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app, self._doors = app, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let in or refuse one connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        fault = self._fault(scope)
        if not fault:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": fault})
        else:
            answer = PlainTextResponse(f"{fault}\n", 403)
            await answer(scope, receive, _with_headers(send))

    def _fault(self, scope: Scope) -> str:
        """Why not; empty if everything is right."""
        hosts, origins = _values(scope, b"host"), _values(scope, b"origin")
        if len(hosts) != 1 or hosts[0] not in self._doors.hosts:
            return "this server is not known under that name"
        needs_origin = scope["type"] == "websocket"
        if origins != [f"http://{hosts[0]}"] and (origins or needs_origin):
            return "this server talks to its own page only"
        if scope["path"] not in OPEN_PATHS and not self._has_token(scope):
            return "open the address that `neural-env play` printed: it ends in a token"
        return ""

    def _has_token(self, scope: Scope) -> bool:
        shown = [*query_tokens(scope), *_cookie_tokens(scope, self._doors.cookie)]
        return any(secrets.compare_digest(each.encode(), self._doors.token.encode()) for each in shown)


def query_tokens(scope: Scope) -> list[str]:
    """The tokens that stand in the address."""
    return parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=8).get("token", [])


def _cookie_tokens(scope: Scope, name: str) -> list[str]:
    tokens = []
    for header in _values(scope, b"cookie"):
        try:
            found = SimpleCookie(header).get(name)
        except CookieError:
            continue
        tokens += [found.value] if found else []
    return tokens


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return sending
