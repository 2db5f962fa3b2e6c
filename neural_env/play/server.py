"""The page and its server: `neural-env play --web`.

    doors = Doors.opened("127.0.0.1", 8000)
    serve(playground, policies, Opening(), doors)

Limits have names, here and where they are enforced (`inbox`, `web_player`, `film_shelf`, `film`): players, connections,
size and rate of messages, orders that wait, seconds without a sign of life.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp
from starlette.websockets import WebSocket
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from neural_env.play.doors import Doors
from neural_env.play.film_shelf import FilmShelf
from neural_env.play.guard import Guard, query_tokens
from neural_env.play.playground import Playground
from neural_env.play.session import MakePolicy, Opening, Session
from neural_env.play.web_player import CLOSE_SECONDS, WebPlayer
from neural_env.play.wire import thumbnails

MAX_PLAYERS = 4  # at once; each has a game of its own
MAX_CONNECTIONS = 64  # of any kind
MAX_MESSAGE_BYTES = 4096
MAX_QUEUE = 16  # messages that are received and not yet read
PING_SECONDS = 20.0  # between signs of life, and to wait for one
GOODBYE_SECONDS = 3  # for those who are there when the server ends

TRY_AGAIN_LATER = 1013
_PAGE = Path(__file__).parent / "page"


def serve(playground: Playground, policies: Mapping[str, MakePolicy], opening: Opening, doors: Doors) -> None:
    """Serve the page until Ctrl-C."""
    with closing(doors), closing(FilmShelf()) as shelf:
        with closing(Session(playground, policies, opening)) as first:
            first.begin()  # what cannot be played is said here and now
        print(f"{playground.game.name} is on {doors.address}\nCtrl-C ends it.", flush=True)
        with suppress(KeyboardInterrupt):
            make_server(application(playground, policies, opening, doors, shelf)).run(list(doors.sockets))


def application(
    playground: Playground,
    policies: Mapping[str, MakePolicy],
    opening: Opening,
    doors: Doors,
    shelf: FilmShelf,
) -> ASGIApp:
    """Everything that is served, behind the guard."""
    site = _Site(playground, policies, opening, doors, shelf)
    routes = [
        Route("/", site.page),
        Route("/health", site.health),
        Route("/starts.png", site.starts),
        Route("/films/{name}", site.film),
        WebSocketRoute("/play", site.play),
        Mount("/page", StaticFiles(directory=_PAGE)),
    ]
    return Guard(Starlette(routes=routes), doors)


def make_server(app: ASGIApp) -> uvicorn.Server:
    """A server with our limits; it listens on the sockets that `run` is given."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws=_Abortable,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_max_queue=MAX_QUEUE,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=GOODBYE_SECONDS,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            lifespan="off",
            log_level=logging.WARNING,
        )
    )


class _Abortable(WebSocketsSansIOProtocol):
    """A connection that can be cut: closing one politely waits until the other side has read everything."""

    async def run_asgi(self) -> None:
        self.close_timeout = CLOSE_SECONDS
        self.scope["abort"] = self.transport.abort  # type: ignore[typeddict-unknown-key]
        await super().run_asgi()


class _Site:
    """The answers, and the players that are here."""

    def __init__(
        self,
        playground: Playground,
        policies: Mapping[str, MakePolicy],
        opening: Opening,
        doors: Doors,
        shelf: FilmShelf,
    ) -> None:
        self._playground, self._policies, self._opening = playground, policies, opening
        self._doors, self._shelf = doors, shelf
        self._players = 0

    async def page(self, request: Request) -> Response:
        """The page; the token of its address becomes a cookie, so that it need not stand there any longer."""
        answer = FileResponse(_PAGE / "index.html")
        if query_tokens(request.scope):
            answer.set_cookie(self._doors.cookie, self._doors.token, httponly=True, samesite="strict")
        return answer

    async def health(self, request: Request) -> Response:
        """That the server is there, and nothing about the machine."""
        return JSONResponse({"status": "ok", "players": self._players})

    async def starts(self, request: Request) -> Response:
        """The thumbnails."""
        return Response(await asyncio.to_thread(thumbnails, self._playground), media_type="image/png")

    async def film(self, request: Request) -> Response:
        """A video or the log beside it."""
        file = self._shelf.find(request.path_params["name"])
        if file is None:
            return Response("this film is not here any more\n", 404, media_type="text/plain")
        return FileResponse(file, filename=f"{self._playground.game.name.lower()}{file.suffix}")

    async def play(self, socket: WebSocket) -> None:
        """A player comes and, some time later, goes."""
        await socket.accept()
        if self._players >= MAX_PLAYERS:
            await socket.close(TRY_AGAIN_LATER, f"{MAX_PLAYERS} are playing already; try again later")
            return
        self._players += 1
        try:
            session = await asyncio.to_thread(Session, self._playground, self._policies, self._opening)
            await WebPlayer(socket, session, self._shelf).run()
        finally:
            self._players -= 1
