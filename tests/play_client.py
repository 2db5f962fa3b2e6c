"""A play server in this process, and clients that speak to it as the page does, or worse."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from websockets.sync.client import ClientConnection, connect

from neural_env.play.doors import Doors
from neural_env.play.film_shelf import FilmShelf
from neural_env.play.playground import Playground
from neural_env.play.server import application, make_server
from neural_env.play.session import MakePolicy, Opening

_SECONDS = 30  # for anything; a busy machine is no reason to fail


@dataclass(frozen=True)
class Turn:
    """What the page is told at one turn."""

    about: dict[str, Any]
    picture: np.ndarray[Any, np.dtype[np.uint8]]  # [H, W, 3], all sides


class Client:
    """One player's connection."""

    def __init__(self, doors: Doors, **options: Any) -> None:
        self._open = ExitStack()
        connection = connect(
            f"ws://127.0.0.1:{doors.port}/play",
            origin=f"http://127.0.0.1:{doors.port}",  # type: ignore[arg-type]
            additional_headers={"Cookie": f"{doors.cookie}={doors.token}"},
            compression=None,
            close_timeout=1,  # a client that has not read everything hears no goodbye
            **options,
        )
        self.socket: ClientConnection = self._open.enter_context(connection)
        self.told: list[dict[str, Any]] = []  # everything but turns

    def say(self, name: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"name": name, **fields}))

    def turn(self) -> Turn:
        """The next one."""
        while True:
            message = self.socket.recv(_SECONDS)
            if isinstance(message, bytes):
                length = int.from_bytes(message[:4], "little")
                picture = cv2.imdecode(np.frombuffer(message[4 + length :], np.uint8), cv2.IMREAD_COLOR)
                assert picture is not None
                return Turn(json.loads(message[4 : 4 + length]), picture[..., ::-1])
            self.told.append(json.loads(message))

    def until(self, holds: Callable[[dict[str, Any]], bool]) -> Turn:
        """The first turn of which that holds."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            if holds((turn := self.turn()).about):
                return turn
        raise AssertionError(f"it did not come within {_SECONDS} s; the last was {turn.about}")

    def hear(self, name: str) -> dict[str, Any]:
        """The next message of that name that is no turn."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            for place, message in enumerate(self.told):
                if message["name"] == name:
                    return self.told.pop(place)
            self.turn()
        raise AssertionError(f"no {name} came within {_SECONDS} s")

    def close(self) -> None:
        self._open.close()

    def flood(self, stop: float, last: list[str]) -> int:
        """Say the same at full speed until that time, and then something else; how often it was said."""
        # What waits on our own side is nothing that the server could do anything about.
        self.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        said = 0
        while time.monotonic() < stop:
            self.say("keys", held=["a"])
            said += 1
        self.say("keys", held=last)
        return said

    def kill(self) -> None:
        """Vanish as a killed process does: without a goodbye."""
        self.socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.socket.shutdown(socket.SHUT_RD)  # wakes the thread that reads, which then closes it
        self.socket.socket.close()


@contextmanager
def running_server(
    playground: Playground, policies: Mapping[str, MakePolicy], opening: Opening | None = None
) -> Iterator[Doors]:
    """A server in a thread."""
    with closing(Doors.opened("127.0.0.1", 0)) as doors, closing(FilmShelf()) as shelf:
        server = make_server(application(playground, policies, opening or Opening(), doors, shelf))
        thread = threading.Thread(target=server.run, args=(list(doors.sockets),))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield doors
        finally:
            server.should_exit = True
            thread.join(_SECONDS)


def players(doors: Doors) -> int:
    """How many are playing."""
    with urllib.request.urlopen(f"http://127.0.0.1:{doors.port}/health", timeout=_SECONDS) as answer:
        return int(json.load(answer)["players"])


def wait_for_players(doors: Doors, count: int) -> float:
    """Seconds until so many are playing."""
    begun = time.monotonic()
    while players(doors) != count:
        assert time.monotonic() < begun + _SECONDS, f"{players(doors)} are playing, not {count}"
        time.sleep(0.01)
    return time.monotonic() - begun


def spoken(doors: Doors, *lines: str) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers (in lower case) and beginning of the body that these lines of HTTP are answered with."""
    with socket.create_connection(("127.0.0.1", doors.port), timeout=_SECONDS) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
        received = b""
        while b"\r\n\r\n" not in received and (more := connection.recv(1 << 16)):
            received += more
        if "Connection: close" in lines:
            while more := connection.recv(1 << 16):
                received += more
    head, _, body = received.partition(b"\r\n\r\n")
    status, *headers = head.decode("latin-1").split("\r\n")
    return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in headers)}, body
