"""Letter boxes of those who look on, and the connections that they come by."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from edged.errors import UnavailableError
from edged.web import protocol
from edged.web.protocol import BoundedProtocol
from edged.web.viewers import MOST, MOST_WAITING, Viewers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator


def test_the_newest_of_a_kind_replaces_the_one_before_it() -> None:
    async def go() -> None:
        viewers = Viewers()
        with viewers.join(lambda kind: kind != "pictures") as viewer:
            for number in range(3):
                viewers.tell("labels", b"%d" % number)
                viewers.tell("pictures", b"none")
            viewers.tell("health", b"well")
            assert await viewer.take(1) == [b"2", b"well"]
            assert await viewer.take(0.01) == []
        assert len(viewers) == 0

    asyncio.run(go())


def test_who_never_looks_costs_a_bounded_amount_of_memory() -> None:
    async def go() -> None:
        viewers = Viewers()
        with viewers.join(lambda _: True) as viewer:
            for number in range(3 * MOST_WAITING):
                viewers.tell(number, b"%d" % number)
            items = await viewer.take(1)
            assert items is not None
            assert (len(items), items[-1]) == (MOST_WAITING, b"%d" % (3 * MOST_WAITING - 1))

    asyncio.run(go())


def test_everybody_goes_at_the_end_and_nobody_comes_who_is_too_many() -> None:
    async def go() -> None:
        viewers = Viewers()
        joined = [viewers.join(lambda _: True) for _ in range(MOST)]
        first = joined[0].__enter__()
        for each in joined[1:]:
            each.__enter__()
        with pytest.raises(UnavailableError, match="viewers are connected already"), viewers.join(lambda _: True):
            pass
        viewers.close()
        assert await first.take(1) is None
        for each in joined:
            each.__exit__(None, None, None)

    asyncio.run(go())


async def echo(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Reads the body; `/long` then sends more than any buffer holds."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(2000 if scope["path"] == "/long" else 0):
        await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with our bounds, which are shorter here."""
    monkeypatch.setattr(protocol, "REQUEST_S", 0.4)
    monkeypatch.setattr(protocol, "READ_S", 0.4)
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 5)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(echo, http=BoundedProtocol, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(5)


def open_for(connection: socket.socket, seconds: float) -> bool:
    """Whether the other side leaves it open for so long."""
    connection.settimeout(seconds)
    try:
        while connection.recv(65536):
            pass
    except TimeoutError:
        return True
    except ConnectionError:
        pass
    return False


@pytest.mark.parametrize(
    "begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"]
)
def test_a_request_that_trickles_in_costs_its_connection(port: int, begun: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        start = time.monotonic()
        connection.sendall(begun)
        while begun and time.monotonic() - start < 0.3:
            connection.sendall(b"a")
            time.sleep(0.05)
        assert not open_for(connection, 10)


def test_a_request_that_comes_right_behind_another_one_has_no_longer_than_others(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        first = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        connection.sendall(first + b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab")
        assert not open_for(connection, 3)


def test_one_machine_does_not_take_all_connections(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_OF_ONE", 2)
    monkeypatch.setattr(protocol, "is_loopback", lambda address: address == "127.0.0.1")
    with contextlib.ExitStack() as stack:
        others = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0)))
            for _ in range(3)
        ]
        assert [open_for(each, 0.1) for each in others] == [True, True, False]
        assert open_for(stack.enter_context(socket.create_connection(("127.0.0.1", port))), 0.1)


def test_a_whole_request_is_answered_and_the_next_one_on_the_same_connection(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for _ in range(3):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):
                answer += connection.recv(1000)
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(0.25)
        connection.sendall(b"GET / HTTP/1.1\r\n")
        assert not open_for(connection, 3)


def test_for_who_does_not_read_little_is_kept(port: int) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.2)
        kept = 0
        with contextlib.suppress(ConnectionError):
            while data := connection.recv(65536):
                kept += len(data)
        assert kept < 512 * 1024


def test_who_does_not_read_is_let_go(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.2)
        assert not open_for(connection, 5)


def test_one_connection_too_many_is_closed_at_once(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "REQUEST_S", 60.0)
    connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(7)]
    try:
        assert not any(open_for(connection, 5) for connection in connections[5:])
        assert all(open_for(connection, 0.02) for connection in connections[:5])
    finally:
        for connection in connections:
            connection.close()
