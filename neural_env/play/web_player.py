"""One player on the page: a game and a thread of its own, so that nobody waits for another or suffers when one leaves.

Three tasks run side by side: one hears, one lets the game go on, one sends. What is to be seen is overwritten until it
is sent: a slow reader sees fewer pictures, and always the newest.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect

from neural_env.play.film import LOG_SUFFIX
from neural_env.play.film_shelf import FilmShelf
from neural_env.play.inbox import MAX_FAULTS, Inbox, Order
from neural_env.play.messages import Begin, PlayAs, Sample, Show
from neural_env.play.pace import Pace
from neural_env.play.playground import InvalidPlay
from neural_env.play.session import Session
from neural_env.play.sides import Abandoned
from neural_env.play.wire import greeting, packed

SEND_SECONDS = 8.0  # for one picture, until a player that does not read is dismissed
IDLE_SECONDS = 1800.0  # without any message
FLOOD_MESSAGES, FLOOD_SECONDS = 256, 0.02  # beyond the rate, between so many: whoever sends more has to wait
CLOSE_SECONDS = 1.0  # for a polite goodbye
MAX_TEXTS = 64  # that wait to be sent
GOING_AWAY, POLICY_VIOLATION, INTERNAL_ERROR = 1001, 1008, 1011

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Dismissed(Exception):
    """The player has to go."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class WebPlayer:
    """A connection that has been let in and accepted.

    Args:
        socket: the connection.
        session: the player's own game; from now on it is only touched in the player's thread.
        shelf: where films go.
    """

    def __init__(self, socket: WebSocket, session: Session, shelf: FilmShelf) -> None:
        self._socket, self._session, self._shelf = socket, session, shelf
        self._inbox = Inbox(session.playground.game)
        self._pace = Pace(session.playground.game.render_fps)
        self._thread = ThreadPoolExecutor(1, "player")
        self._texts: deque[str] = deque(maxlen=MAX_TEXTS)
        self._picture: bytes | None = None
        self._has_news = asyncio.Event()

    async def run(self) -> None:
        """Play until the player leaves or is dismissed."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for task in (self._hear(), self._play(), self._send()):
                    tasks.create_task(task)
        except* (WebSocketDisconnect, Abandoned):
            pass
        except* Dismissed as group:
            await self._dismiss(next(each for each in group.exceptions if isinstance(each, Dismissed)))
        except* Exception:
            _log.exception("a player's game broke off")
            await self._dismiss(Dismissed(INTERNAL_ERROR, "the game broke off; the server's output says why"))
        finally:
            # The game ends in its own thread, and the player's place is free only then.
            self._session.leave()
            await asyncio.shield(self._in_thread(self._session.close))
            self._thread.shutdown(wait=False)

    # ---- three tasks -------------------------------------------------------------------------------------------------

    async def _hear(self) -> None:
        while True:
            event = await self._socket.receive()
            if event["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(event.get("code", GOING_AWAY))
            self._inbox.hear(event.get("text"))
            if self._inbox.faults >= MAX_FAULTS:
                raise Dismissed(POLICY_VIOLATION, f"{MAX_FAULTS} messages could not be understood")
            # A flood must not keep the others from their turn.
            await asyncio.sleep(FLOOD_SECONDS if self._inbox.excess % FLOOD_MESSAGES == 1 else 0)

    async def _play(self) -> None:
        self._tell(await self._in_thread(greeting, self._session))
        told = self._inbox.changes  # before each turn: what is heard during one may not be in it
        await self._turn(self._session.begin)
        while True:
            self._pace.fps = self._session.playground.game.render_fps * self._inbox.speed
            await asyncio.sleep(self._pace.wait())
            if time.monotonic() - self._inbox.heard > IDLE_SECONDS:
                raise Dismissed(GOING_AWAY, "nothing was heard for a long time; open the page again")
            heard = self._inbox.changes
            for order in self._inbox.orders():
                await self._turn(partial(self._obey, order))
            if self._inbox.is_step_due():
                await self._turn(lambda: self._session.turn(self._inbox.action))
            elif heard != told:
                await self._turn(lambda: None)
            told = heard
            while self._inbox.complaints:
                self._tell({"name": "complaint", "says": self._inbox.complaints.popleft()})

    async def _send(self) -> None:
        while True:
            await self._has_news.wait()
            self._has_news.clear()
            texts, picture = list(self._texts), self._picture
            self._texts.clear()
            self._picture = None
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    for text in texts:
                        await self._socket.send_text(text)
                    if picture is not None:
                        await self._socket.send_bytes(picture)
            except TimeoutError:
                raise Dismissed(POLICY_VIOLATION, "the page does not read what it is sent") from None

    # ---- parts -------------------------------------------------------------------------------------------------------

    async def _turn(self, change: Callable[[], Any]) -> None:
        """Change the game, and put up what is then to be seen."""
        self._picture = await self._in_thread(self._changed, change)
        for film in self._session.films:
            self._shelf.put(film)
            self._tell({"name": "film", "video": film.name, "log": film.with_suffix(LOG_SUFFIX).name})
        self._session.films.clear()
        self._has_news.set()

    def _changed(self, change: Callable[[], Any]) -> bytes:
        try:
            change()
        except (InvalidPlay, OSError) as fault:  # a full disk, for one, ends the film and not the game
            self._inbox.complain("not possible", fault)
        return packed(self._session, self._inbox, self._pace)

    def _obey(self, order: Order) -> None:
        session = self._session
        if isinstance(order, Begin):
            session.begin(order.start, order.seed)
        elif isinstance(order, Show):
            session.show(order.view)
        elif isinstance(order, PlayAs):
            session.play_as(order.player)
        elif isinstance(order, Sample):
            session.sample(**order.values)
        elif order.suffix is None:
            session.finish_film()
        else:
            session.start_film(self._shelf.new_path(order.suffix))

    def _tell(self, plain: dict[str, Any]) -> None:
        self._texts.append(json.dumps(plain))
        self._has_news.set()

    async def _dismiss(self, fault: Dismissed) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._socket.close(fault.code, str(fault))
        except (TimeoutError, WebSocketDisconnect, RuntimeError):
            self._socket.scope["abort"]()  # whoever does not read hears no goodbye either

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
