"""A headless Chromium, driven over its DevTools protocol: enough to press keys, ask questions and take pictures."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-extensions", "--mute-audio", "--remote-debugging-port=0"),
]
_SECONDS = 60  # for anything; a busy machine takes long to start a browser


def chromium() -> str | None:
    """Where it is, if it is here."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._count = socket, 0

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(_SECONDS))
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result

    def open(self, address: str) -> None:
        """Go there."""
        self.call("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The first value of the expression that is true."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            if value := self.ask(expression):
                return value
            time.sleep(0.02)
        raise AssertionError(f"{expression} was not true within {_SECONDS} s")

    def key(self, kind: str, key: str) -> None:
        """Press ("keyDown") or release ("keyUp") a key."""
        self.call("Input.dispatchKeyEvent", type=kind, key=key, text=key if kind == "keyDown" and len(key) == 1 else "")

    def touch(self, kind: str, x: float = 0, y: float = 0) -> None:
        """A finger comes ("touchStart") or goes ("touchEnd")."""
        points = [{"x": x, "y": y}] if kind == "touchStart" else []
        self.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)

    def resize(self, width: int, height: int, scheme: str = "light", touch: bool = False) -> None:
        """Another screen, light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=2 if touch else 1,
            mobile=touch,
        )  # fmt: skip
        self.call("Emulation.setTouchEmulationEnabled", enabled=touch)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def picture(self, whole: bool = False) -> bytes:
        """What is to be seen, as PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A browser with one empty tab; its profile lies in the folder."""
    program = chromium()
    assert program is not None
    running = subprocess.Popen(
        [program, *_FLAGS, f"--user-data-dir={folder}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with connect(_tab(folder / "DevToolsActivePort"), max_size=None, compression=None) as socket:
            page = Page(socket)
            page.call("Page.enable")
            yield page
    finally:
        running.terminate()
        running.wait(_SECONDS)


def _tab(port_file: Path) -> str:
    """The DevTools address of the first tab."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        if port_file.exists() and (lines := port_file.read_text().split()):
            with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json/list", timeout=_SECONDS) as answer:
                tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
            if tabs:
                address: str = tabs[0]["webSocketDebuggerUrl"]
                return address
        time.sleep(0.05)
    raise AssertionError(f"the browser did not start within {_SECONDS} s")
