"""MQTT 5 first, 3.1.1 where the broker does not speak it: however the broker says so."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import HOST, Mosquitto, make_client, running, soon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STATUS = "edged/porch-pi/status"
REFUSALS = {
    "3.1.1's answer": b"\x20\x02\x00\x01",
    "MQTT 5's answer": b"\x20\x03\x00\x84\x00",
    "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "nothing, and closes": b"",
}


class OldBroker:
    """Before a real mosquitto: refuses one protocol level as told, and passes every other connection through."""

    def __init__(self, behind: int, refusal: bytes | None, level: int = 5) -> None:
        self.levels: list[int] = []
        self.refused_level = level
        self._behind = behind
        self._refusal = refusal
        self._open: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._accept, HOST, 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._open, return_exceptions=True)

    def cut(self) -> None:
        """Close every connection."""
        for task in self._open:
            task.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            opening = await reader.readexactly(9)  # every CONNECT of ours is shorter than 128 bytes
            self.levels.append(opening[8])
            if opening[8] != self.refused_level:
                await self._pass(opening, reader, writer)
            elif self._refusal is None:
                await asyncio.sleep(60)
            else:
                writer.write(self._refusal)
                await writer.drain()

    async def _pass(self, opening: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(HOST, self._behind)
        requests.write(opening)

        async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        with contextlib.closing(requests):
            await asyncio.gather(copy(reader, requests), copy(answers, writer))


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_broker_that_refuses_mqtt_5_gets_3_1_1_at_once(tmp_path: Path, refusal: bytes) -> None:
    async def scenario(behind: int) -> None:
        old = OldBroker(behind, refusal)
        began = time.monotonic()
        async with old.listening() as port, running(make_client(port)) as client:
            await soon(lambda: client.state().connected)
            assert time.monotonic() - began < 0.5
            assert client.state().protocol == "3.1.1"
            assert old.levels == [5, 4]

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


def test_a_broker_that_does_not_answer_mqtt_5_gets_3_1_1_soon(tmp_path: Path) -> None:
    async def scenario(behind: int) -> None:
        old = OldBroker(behind, None)
        async with old.listening() as port, running(make_client(port)) as client:
            await soon(lambda: client.state().connected)
            assert client.state().protocol == "3.1.1"

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


def test_what_worked_is_tried_first_after_a_reconnect_and_the_other_when_that_is_refused(tmp_path: Path) -> None:
    async def scenario(behind: int) -> None:
        old = OldBroker(behind, REFUSALS["3.1.1's answer"])
        async with old.listening() as port, running(make_client(port)) as client:
            await soon(lambda: client.state().connected)
            old.levels.clear()
            old.cut()
            await soon(lambda: client.state().reconnects == 1 and client.state().connected)
            assert old.levels == [4]

            old.levels.clear()
            old.refused_level = 4  # the broker was replaced by a new one
            old.cut()
            await soon(lambda: client.state().reconnects == 2 and client.state().connected)
            assert old.levels == [4, 5]
            assert client.state().protocol == "5"

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_version_that_is_asked_for_is_the_only_one_tried(tmp_path: Path, protocol: str) -> None:
    level = {"5": 5, "3.1.1": 4}[protocol]

    async def scenario(behind: int) -> None:
        old = OldBroker(behind, REFUSALS["3.1.1's answer"], level=level)
        async with old.listening() as port, running(make_client(port, protocol=protocol)) as client:
            await soon(lambda: client.state().reason != "not connected yet")
            await asyncio.sleep(0.1)
            assert not client.state().connected
            assert set(old.levels) == {level}

    with Mosquitto(tmp_path) as broker:
        asyncio.run(scenario(broker.port))


def test_amqtt_as_it_is_gets_3_1_1() -> None:
    """It reads an MQTT 5 CONNECT wrongly, waits for more of it, and never answers."""
    amqtt = pytest.importorskip("amqtt.broker", reason="amqtt is not installed (pip install 'edged[demo]')")

    async def scenario() -> None:
        broker = amqtt.Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:0"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
            }
        )
        await broker.start()
        try:
            port = broker._servers["default"].instance.sockets[0].getsockname()[1]  # noqa: SLF001  it tells nobody
            async with running(make_client(port)) as client:
                await soon(lambda: client.state().connected)
                assert client.state().protocol == "3.1.1"
        finally:
            await broker.shutdown()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            for task in others:  # the connection that it never answered
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)

    asyncio.run(scenario())
