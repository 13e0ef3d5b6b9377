"""TLS and websockets against a real mosquitto that has them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from support.certificates import DAY, Authority
from support.mosquitto import HOST, Mosquitto, free_port, make_client, running, soon, until

from edged.mqtt.ending import by_the_clock

if TYPE_CHECKING:
    from pathlib import Path

# paho drops the socket of a handshake that failed, and the garbage collector closes it
dropped_socket = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a broker's certificate for 127.0.0.1, a device's, and another authority that signed neither.

    Two more of the broker's: one whose days are over, and one whose days are still to come.
    """
    folder = tmp_path_factory.mktemp("certificates")
    Authority(folder, "other").sign("stranger")
    authority = Authority(folder)
    authority.sign("broker", HOST)
    authority.sign("device")
    authority.sign("expired", HOST, begins=-3 * DAY, ends=-2 * DAY)
    authority.sign("early", HOST, begins=2 * DAY, ends=3 * DAY)
    return folder


def tls_lines(certificates: Path, broker: str = "broker") -> list[str]:
    names = {"cafile": "ca.crt", "certfile": f"{broker}.crt", "keyfile": f"{broker}.key"}
    return ["allow_anonymous true", *(f"{option} {certificates / name}" for option, name in names.items())]


async def labels_go_out(port: int, **settings: object) -> None:
    async with running(make_client(port, "porch-pi", **settings)) as client:
        client.publish("edged/porch-pi/porch/labels", bytes(200_000), qos=1)  # more than one TLS record
        await soon(lambda: client.state().connected and client.state().queued == 0)


async def the_reason(port: int, **settings: object) -> str:
    async with running(make_client(port, "porch-pi", **settings)) as client:
        await soon(lambda: client.state().reason != "not connected yet")
        assert not client.state().connected
        return str(client.state().reason)


def test_tls_with_the_authority_that_is_given(tmp_path: Path, certificates: Path) -> None:
    with Mosquitto(tmp_path, lines=tls_lines(certificates)) as broker:
        asyncio.run(labels_go_out(broker.port, tls={"ca": certificates / "ca.crt"}))


def test_tls_with_a_certificate_of_the_device(tmp_path: Path, certificates: Path) -> None:
    tls = {
        "ca": certificates / "ca.crt",
        "cert": certificates / "device.crt",
        "key": certificates / "device.key",
    }
    lines = [*tls_lines(certificates), "require_certificate true"]
    with Mosquitto(tmp_path, lines=lines) as broker:
        asyncio.run(labels_go_out(broker.port, tls=tls))


@dropped_socket
@pytest.mark.parametrize("ca", ["other.crt", None])
def test_a_certificate_that_is_not_trusted_is_said(tmp_path: Path, certificates: Path, ca: str | None) -> None:
    tls = {} if ca is None else {"ca": certificates / ca}
    with Mosquitto(tmp_path, lines=tls_lines(certificates)) as broker:
        reason = asyncio.run(the_reason(broker.port, tls=tls))
    assert "the broker's certificate is not trusted: " in reason


@dropped_socket
def test_a_certificate_for_another_name_is_said(tmp_path: Path, certificates: Path) -> None:
    try:
        socket.getaddrinfo("localhost", None)
    except OSError:
        pytest.skip("this machine does not know the name localhost (/etc/hosts)")
    with Mosquitto(tmp_path, lines=tls_lines(certificates)) as broker:
        reason = asyncio.run(the_reason(broker.port, host="localhost", tls={"ca": certificates / "ca.crt"}))
    assert "Hostname mismatch" in reason


@dropped_socket
@pytest.mark.parametrize(("broker", "what"), [("expired", "has expired"), ("early", "is not yet valid")])
def test_dates_that_do_not_fit_are_said_with_what_the_clock_says(
    tmp_path: Path, certificates: Path, caplog: pytest.LogCaptureFixture, broker: str, what: str
) -> None:
    with Mosquitto(tmp_path, lines=tls_lines(certificates, broker)) as running_broker:
        reason = asyncio.run(the_reason(running_broker.port, tls={"ca": certificates / "ca.crt"}))
    assert (
        f"certificate {what}; this machine's clock says {datetime.now(UTC):%Y-%m-%d}: if it is wrong, set it" in reason
    )
    assert len(caplog.messages) == 1, "said once"


def test_a_clock_that_is_not_set_is_named() -> None:
    said = by_the_clock(datetime(1970, 1, 1, 1, tzinfo=UTC))
    assert "clock says 1970-01-01" in said
    assert "it is not set" in said


@dropped_socket
@pytest.mark.parametrize("given", ["none", "stranger"])
def test_a_device_whose_certificate_the_broker_does_not_take_is_told(
    tmp_path: Path, certificates: Path, given: str
) -> None:
    tls = {"ca": certificates / "ca.crt"}
    if given != "none":
        tls |= {"cert": certificates / f"{given}.crt", "key": certificates / f"{given}.key"}
    with Mosquitto(tmp_path, lines=[*tls_lines(certificates), "require_certificate true"]) as broker:
        reason = asyncio.run(the_reason(broker.port, tls=tls))
    assert "the broker wants a certificate of this device that it trusts (tls.cert and tls.key): " in reason


def test_renewed_certificates_are_taken_up_without_a_restart(tmp_path: Path) -> None:
    async def scenario(broker: Mosquitto, tls: dict[str, Path]) -> None:
        async with running(make_client(broker.port, tls=tls)) as client:
            await soon(lambda: client.state().connected)
            broker.kill()
            renewed = Authority(tmp_path)
            renewed.sign("broker", HOST)
            renewed.sign("device")
            broker.start()
            await soon(lambda: client.state().connected and client.state().reconnects == 1, timeout=9)

    authority = Authority(tmp_path)
    authority.sign("broker", HOST)
    authority.sign("device")
    files = {"ca": tmp_path / "ca.crt", "cert": tmp_path / "device.crt", "key": tmp_path / "device.key"}
    with Mosquitto(tmp_path, lines=[*tls_lines(tmp_path), "require_certificate true"]) as broker:
        asyncio.run(scenario(broker, files))


def test_the_systems_authorities_are_trusted_where_none_is_named(
    tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates / "ca.crt"))  # OpenSSL's own way to name the system's
    with Mosquitto(tmp_path, lines=tls_lines(certificates)) as broker:
        asyncio.run(labels_go_out(broker.port, tls={}))


@dropped_socket
def test_the_brokers_name_is_sent_so_that_one_address_may_serve_many(certificates: Path) -> None:
    names: list[str] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "broker.crt", certificates / "broker.key")
    context.sni_callback = lambda _socket, name, _context: names.append(name)

    def serve(listening: socket.socket) -> None:
        with contextlib.suppress(OSError), listening.accept()[0] as plain:
            context.wrap_socket(plain, server_side=True).close()

    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        settings = {"host": "localhost", "tls": {"ca": certificates / "ca.crt"}}
        asyncio.run(the_reason(listening.getsockname()[1], **settings))
        thread.join(5)
    assert names == ["localhost"]


@dropped_socket
def test_tls_to_a_broker_without_it_is_said(tmp_path: Path, certificates: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        reason = asyncio.run(the_reason(broker.port, tls={"ca": certificates / "ca.crt"}))
    assert f"no connection to {HOST}:{broker.port}: " in reason


@dropped_socket
def test_a_tls_handshake_that_hangs_does_not_hold_up_the_stop() -> None:
    async def scenario(silent: socket.socket) -> None:
        client = make_client(silent.getsockname()[1], tls={})
        run = asyncio.create_task(client.run())
        await asyncio.sleep(0.2)
        began = time.monotonic()
        await client.stop()
        await run
        assert time.monotonic() - began < 2

    with socket.create_server((HOST, 0)) as silent:
        asyncio.run(scenario(silent))
        silent.accept()[0].close()
    until(lambda: not any(thread.name == "mqtt" for thread in threading.enumerate()))


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_websockets(tmp_path: Path, certificates: Path, *, secure: bool) -> None:
    lines = [*(tls_lines(certificates) if secure else ["allow_anonymous true"]), "protocol websockets"]
    lines.append(f"listener {free_port()} {HOST}")  # mosquitto 2.0.11 does not start with websockets alone
    tls = {"ca": certificates / "ca.crt"} if secure else None
    with Mosquitto(tmp_path, lines=lines) as broker:
        asyncio.run(labels_go_out(broker.port, transport="websockets", tls=tls))


@dropped_socket
def test_websockets_to_a_broker_without_them_is_said(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        reason = asyncio.run(the_reason(broker.port, transport="websockets"))
    assert f"no connection to {HOST}:{broker.port}: " in reason
