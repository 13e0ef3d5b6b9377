"""TLS and websockets against a real mosquitto that has them."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import HOST, Mosquitto, free_port, make_client, running, soon, until

if TYPE_CHECKING:
    from pathlib import Path

# paho drops the socket of a handshake that failed, and the garbage collector closes it
dropped_socket = pytest.mark.filterwarnings(
    "ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, a broker's certificate for 127.0.0.1, a device's, and another authority that signed neither."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt install openssl)")
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(command: str) -> None:
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)  # noqa: S607

    for name in ("ca", "other"):
        openssl(f"req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.crt -days 2 -subj /CN={name}")
    (folder / "extensions").write_text(f"subjectAltName=IP:{HOST}\n")
    for name in ("broker", "device"):
        openssl(f"req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}")
        signer = "-CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile extensions"
        openssl(f"x509 -req -in {name}.csr -out {name}.crt {signer}")
    return folder


def tls_lines(certificates: Path) -> list[str]:
    names = {"cafile": "ca.crt", "certfile": "broker.crt", "keyfile": "broker.key"}
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
