"""A page of a daemon that runs, asked as a program asks."""

from __future__ import annotations

import http.client
import json
import re
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from support.mosquitto import HOST, until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from support.daemon import Daemon

START_S = 20.0
TOKEN = "a-token-that-nobody-guesses"  # noqa: S105  the test's own
PROOF = re.compile(r'data-proof="([0-9a-f]{64})"')


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401  whatever it is
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


class Asker:
    """Asks one page; each time on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.port = urlsplit(url).port or 0

    def __call__(self, path: str, method: str = "GET", body: str | bytes | None = None, **headers: str) -> Answer:
        """One request; a header's `_` is a `-`."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=15)
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, given)
            found = connection.getresponse()
            named = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, named, found.read())
        finally:
            connection.close()

    def post(self, path: str, value: object, **headers: str) -> Answer:
        """JSON, as a program sends it."""
        return self(path, "POST", json.dumps(value), content_type="application/json", **headers)

    def form(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        """A form, as a browser sends it from our own page; or from another one's, with another origin."""
        given = {"origin": f"http://{HOST}:{self.port}", **headers}
        kind = "application/x-www-form-urlencoded"
        return self(path, "POST", urlencode(fields), content_type=kind, **given)

    def proof(self, **headers: str) -> str:
        """What the page sends along with changes."""
        found = PROOF.search(self("/", **headers).text)
        assert found is not None
        return found[1]

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection((HOST, self.port), 15)


def page_of(daemon: Daemon) -> Asker:
    """The page of a daemon that has been started, once it lets people in."""

    def address() -> list[str]:
        return re.findall(r"page: (http://\S+/)", daemon.log)

    until(lambda: bool(address()), START_S)
    asker = Asker(address()[-1])
    until(lambda: asker("/healthz", host=f"{HOST}:{asker.port}").status == 200, START_S)
    return asker
