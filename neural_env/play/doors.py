"""Where the server listens, under which names it is known, and the secret that opens it.

Without being told otherwise it listens on this machine's own addresses alone. A page of any site on the web can make
the visitor's browser call those, too; hence the names, the origin and the token, which `guard` checks.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from contextlib import suppress
from dataclasses import dataclass

from neural_env.play.playground import InvalidPlay

MIN_TOKEN = 16  # characters
RECEIVED_BYTES = 1 << 14  # of a connection that wait unread: of a flood, the rest stays with whoever sends it

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
_TOKEN = re.compile(rf"[A-Za-z0-9_-]{{{MIN_TOKEN},128}}")
_HTTP_PORT = 80  # which a browser leaves out of the name


@dataclass(frozen=True)
class Doors:
    """Open sockets, and who may come in."""

    sockets: tuple[socket.socket, ...]
    hosts: frozenset[str]  # what the Host header may be
    token: str

    @classmethod
    def opened(cls, host: str, port: int, expose: str | None = None, token: str | None = None) -> Doors:
        """Listen; other machines are let in only with the name they use and a token of the user's choice.

        Example:
            >>> Doors.opened("0.0.0.0", 8000)
            Traceback (most recent call last):
                ...
            neural_env.play.playground.InvalidPlay: host '0.0.0.0' is open to other machines; if that is wanted, add \
--expose (the name or address by which they open the page) and --token (a secret of 16 characters or more)
        """
        is_open = not _is_loopback(host) or expose is not None
        if is_open and (expose is None or token is None):
            raise InvalidPlay(
                f"host {host!r} is open to other machines; if that is wanted, add --expose (the name or address by "
                f"which they open the page) and --token (a secret of {MIN_TOKEN} characters or more)"
            )
        if token is not None and not _TOKEN.fullmatch(token):
            raise InvalidPlay(f"the token has to be {MIN_TOKEN} to 128 letters, digits, '-' or '_'")
        if not 0 <= port < 1 << 16:
            raise InvalidPlay(f"port is {port}; expected 0 to {(1 << 16) - 1}")
        sockets = _listening(host, port)
        names = [*_LOOPBACK_NAMES, *([] if expose is None else [expose])]
        taken = sockets[0].getsockname()[1]
        hosts = {f"{name}:{taken}" for name in names} | (set(names) if taken == _HTTP_PORT else set())
        return cls(sockets, frozenset(hosts), token or secrets.token_urlsafe(MIN_TOKEN))

    @property
    def port(self) -> int:
        """The one it listens on."""
        return int(self.sockets[0].getsockname()[1])

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token: cookies do not tell ports apart."""
        return f"neural_env_play_{self.port}"

    @property
    def address(self) -> str:
        """What to open in a browser on this machine."""
        return f"http://127.0.0.1:{self.port}/?token={self.token}"

    def close(self) -> None:
        """Listen no more."""
        for each in self.sockets:
            each.close()


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _listening(host: str, port: int) -> tuple[socket.socket, ...]:
    """Both of this machine's own addresses if one of them is meant."""
    if host not in ("127.0.0.1", "localhost"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return (_server(host, port, family),)
    first = _server("127.0.0.1", port, socket.AF_INET)
    with suppress(OSError):  # there may be no IPv6 here
        return (first, _server("::1", first.getsockname()[1], socket.AF_INET6))
    return (first,)


def _server(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
    server = socket.create_server((host, port), family=family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)  # of every connection it will take
    return server
