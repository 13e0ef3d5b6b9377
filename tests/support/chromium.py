"""Headless Chromium, spoken to over its DevTools protocol: what a person at a browser sees and does."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from support.mosquitto import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from websockets.sync.connection import Connection

PATIENCE_S = 30.0


class ProtocolError(AssertionError):
    """The browser could not do what it was told."""


class Tab:
    """A tab. `errors`: what its console had to complain of, Content-Security-Policy and failed requests among it."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.received = 0  # bytes of answers that have ended
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE_S))
            if message.get("id") == self._number:
                if "error" in message:
                    raise ProtocolError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        given = message.get("params", {})
        match message.get("method"):
            case "Log.entryAdded" if given["entry"]["level"] == "error":
                self.errors.append(given["entry"]["text"] + " " + given["entry"].get("url", ""))
            case "Runtime.exceptionThrown":
                self.errors.append(str(given["exceptionDetails"].get("exception", given)))
            case "Network.requestWillBeSent":
                self.requests.append(given["request"]["url"])
            case "Network.loadingFinished":
                self.received += int(given["encodedDataLength"])

    def open(self, address: str) -> None:
        """Go there, and wait until the document is there."""
        self.call("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str) -> Any:  # noqa: ANN401  whatever the script gives
        """The value of an expression; of a promise, what it comes to."""
        done = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in done, done["exceptionDetails"]
        return done["result"].get("value")

    def until(self, script: str, seconds: float = PATIENCE_S) -> None:
        """Wait until an expression is true."""

        def true() -> bool:
            time.sleep(0.03)
            try:
                return bool(self.run(f"Boolean({script})"))
            except ProtocolError:  # the page is being loaded anew just now
                return False

        until(true, seconds)

    def text(self, selector: str = "body") -> str:
        """What is to be read there."""
        found: str = self.run(f"document.querySelector({json.dumps(selector)}).innerText")
        return found

    def click(self, selector: str) -> None:
        """As a person does: with the pointer, in the middle of it."""
        where = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{where}.scrollIntoView({{block: 'center', behavior: 'instant'}})")
        box = self.run(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({where}.getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def fill(self, selector: str, text: str) -> None:
        """Put a text into a field."""
        self.run(f"(box => {{ box.focus(); box.select(); }})(document.querySelector({json.dumps(selector)}))")
        self.call("Input.insertText", text=text)

    def look(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """A window of this size, in light or dark mode."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        mode = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[mode])

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """A screenshot, as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


class Chromium:
    """The browser: a process of its own, with a profile that is thrown away."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if program is None:
            pytest.skip("Chromium is not installed (apt install chromium)")
        self._folder = folder
        self._command = [
            program,
            "--headless=new",
            "--no-sandbox",  # root has no other way; nothing but our own page is opened
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--hide-scrollbars",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "about:blank",
        ]
        self._tabs: list[tuple[str, ClientConnection]] = []

    def __enter__(self) -> Self:
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, start_new_session=True)
        port = self._folder / "DevToolsActivePort"
        until(lambda: port.exists() and port.read_text().count("\n") == 1, PATIENCE_S)
        self._port = int(port.read_text().split("\n")[0])
        return self

    def __exit__(self, *_: object) -> None:
        self.close_tabs()
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def close_tabs(self) -> None:
        """All of them: each one costs the machine something while it is open."""
        for target, socket in self._tabs:
            with contextlib.suppress(OSError, ConnectionClosed):
                socket.close()
            with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{self._port}/json/close/{target}", timeout=5):
                pass
        self._tabs.clear()

    def tab(self, prepare: Callable[[Tab], object] = lambda _: None) -> Tab:
        """A new one, with cookies and a cache of its own."""
        version = json.load(urlopen(f"http://127.0.0.1:{self._port}/json/version", timeout=5))
        with connect(version["webSocketDebuggerUrl"], max_size=None, proxy=None) as browser:
            context = _ask(browser, "Target.createBrowserContext")["browserContextId"]
            target = _ask(browser, "Target.createTarget", url="about:blank", browserContextId=context)["targetId"]
        socket = connect(
            f"ws://127.0.0.1:{self._port}/devtools/page/{target}",
            max_size=None,
            proxy=None,
            ping_interval=None,
            close_timeout=0.5,  # what was not read of a page that is looked at holds the last word up
        )
        self._tabs.append((target, socket))
        tab = Tab(socket)
        prepare(tab)
        return tab


def _ask(socket: Connection, method: str, **parameters: object) -> dict[str, Any]:
    socket.send(json.dumps({"id": 1, "method": method, "params": parameters}))
    while (message := json.loads(socket.recv(PATIENCE_S))).get("id") != 1:
        pass
    result: dict[str, Any] = message["result"]
    return result
