"""Servers and networks that fail or lie: said clearly, in bounded time, nothing taken, and picked up once mended."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from support import static_server as faults
from support.registry_device import Device
from support.signed_registry import Package, SignedRegistry
from support.static_server import StaticServer

from edged.errors import EdgedError, RegistryUnavailableError, RegistryUntrustedError, UsageError
from edged.updates.fetcher import Fetcher, Patience
from edged.updates.tuf_registry import Place, TufRegistry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


PACKAGE = Package()
PLACES = ("timestamp.json", "1.snapshot.json", "1.targets.json", "stable.json", "model.yaml", "birds.tflite")
WAITING = ("slow", "slow headers", "silent")
FAULTS: dict[str, tuple[Callable[..., None], str]] = {
    "flipped": (faults.flipped, "damaged|not signed by|not a registry's signed metadata|mixture of two"),
    "truncated": (faults.truncated, "broke off|ends after"),
    "shorter": (faults.shorter, "damaged|not a registry's signed metadata|mixture of two|ends after"),
    "longer": (faults.longer, "more than|mixture of two"),
    "endless": (faults.endless, "more than|damaged|mixture of two"),
    "slow": (faults.slow, "too slow|no answer in time"),
    "slow headers": (faults.slow_headers, "no answer in time"),
    "silent": (faults.silent, "no answer in time"),
    "login page": (faults.login_page, r"a web page is there instead \(a network's login page between\?\)"),
    "to a login page": (faults.to_login_page, r"to another host, http://login.hotel.example/ \(a network's login page"),
    "in circles": (faults.in_circles, "redirect"),
    "gone": (faults.status(404), "404"),
    "forbidden": (faults.status(403), "403"),
    "broken": (faults.status(500), "500"),
    "overloaded": (faults.status(503), "503"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_fault_of_a_server_is_said_and_survived(
    operator: SignedRegistry, device: Device, server: StaticServer, kind: str
) -> None:
    fault, words = FAULTS[kind]
    operator.offer(PACKAGE)
    for place in PLACES[:: 5 if kind in WAITING else 1]:
        server.faults = {place: fault}
        began = time.monotonic()
        if (fault, place) == (faults.longer, "timestamp.json"):
            continue  # a blank after the JSON is harmless, and its length is not signed
        with pytest.raises((RegistryUnavailableError, RegistryUntrustedError), match=words) as caught:
            device.take()
        assert time.monotonic() - began < 5
        assert device.url in str(caught.value)
        assert "birds.tflite" not in device.finished
    server.faults = {}
    device.take()
    assert device.has(PACKAGE)


@pytest.mark.parametrize("fault", [faults.status(500), faults.login_page, faults.silent])
def test_fault_while_roots_are_looked_for_is_no_end_of_them(
    operator: SignedRegistry, device: Device, server: StaticServer, fault: Callable[..., None]
) -> None:
    """Else one could keep a device from learning that a key has been replaced."""
    operator.rotate_root()
    operator.offer(PACKAGE)
    server.faults = {"2.root.json": fault}
    with pytest.raises(RegistryUnavailableError):
        device.poll()
    server.faults = {}
    device.take()
    assert device.has(PACKAGE)


def test_registry_that_is_gone_comes_back(operator: SignedRegistry, device: Device, tmp_path: Path) -> None:
    operator.offer(PACKAGE)
    with StaticServer(operator.folder) as first:
        url, port = first.url, first.server_port
        device = Device(url, device.root, tmp_path)
        device.poll()
    with pytest.raises(RegistryUnavailableError, match="Connection refused"):
        device.poll()
    with StaticServer(operator.folder, port=port):
        device.take()
    assert device.has(PACKAGE)


def test_host_that_is_unknown_is_said(device: Device, tmp_path: Path) -> None:
    lost = Device("http://registry.invalid", device.root, tmp_path)
    with pytest.raises(RegistryUnavailableError, match=r"http://registry.invalid/metadata/timestamp.json: the host"):
        lost.poll()


@pytest.mark.parametrize(
    "url", ["ftp://registry.example", "file://host/registry", "http://user:secret@registry.example"]
)
def test_address_that_is_not_taken_is_a_usage_error(device: Device, tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        TufRegistry(Place(url, device.root, "stable"), tmp_path)
    assert "secret" not in str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """For `localhost`, signed by itself."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key


def test_certificate_is_verified_by_the_systems_authorities(
    operator: SignedRegistry,
    device: Device,
    certificate: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    operator.offer(PACKAGE)
    with StaticServer(operator.folder, certificate) as server:
        port = server.server_port
        device = Device(f"https://localhost:{port}", device.root, tmp_path)
        with pytest.raises(RegistryUnavailableError, match="its certificate is not trusted: self-signed"):
            device.poll()
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        other = Device(f"https://127.0.0.1:{port}", device.root, tmp_path / "other")
        with pytest.raises(RegistryUnavailableError, match="its certificate is not trusted: IP address mismatch"):
            other.poll()
        device.take()
    assert device.has(PACKAGE)


def test_redirection_within_https_and_on_the_same_host_is_followed(
    operator: SignedRegistry, device: Device, server: StaticServer
) -> None:
    operator.offer(PACKAGE)
    with StaticServer(operator.folder) as cdn:
        server.faults = {
            "birds.tflite": lambda request, _: request.answer(
                302, b"", "text/html", Location=f"{cdn.url}{request.path}"
            )
        }
        device.take()
        assert [status for path, status in cdn.requests if path.endswith("birds.tflite")] == [200]
    assert device.has(PACKAGE)


def test_redirection_from_https_to_http_is_refused(
    operator: SignedRegistry, server: StaticServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.offer(PACKAGE)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with StaticServer(operator.folder, certificate) as secure:
        secure.faults = {
            "": lambda request, _: request.answer(302, b"", "text/html", Location=f"{server.url}{request.path}")
        }
        fetcher = Fetcher(f"https://localhost:{secure.server_port}", Patience())
        with pytest.raises(RegistryUnavailableError, match="leads from https:// to http://"):
            fetcher.get("metadata/timestamp.json", 10_000)
    assert server.requests == []


def test_page_of_a_redirection_is_not_read(operator: SignedRegistry, device: Device, server: StaticServer) -> None:
    """It may be endless."""

    def endless(request: faults.Request, _: bytes) -> None:
        request.send_response(302)
        request.send_header("Location", "/metadata/timestamp.json?once")
        request.end_headers()
        try:
            while not request.server.stopped.is_set():
                request.wfile.write(bytes(65536))
        except OSError:
            ended.append(True)

    ended: list[bool] = []
    operator.offer(PACKAGE)
    server.faults = {"timestamp.json": endless}
    with pytest.raises(EdgedError):
        device.poll()
    until = time.monotonic() + 3
    while not ended and time.monotonic() < until:
        time.sleep(0.01)
    assert ended
    assert server.traffic < 16 * 2**20


def test_proxy_of_the_environment_is_used(
    operator: SignedRegistry, device: Device, server: StaticServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    operator.offer(PACKAGE)
    monkeypatch.setenv("http_proxy", server.url)
    behind = Device("http://registry.invalid", device.root, tmp_path)
    with pytest.raises(RegistryUnavailableError, match="404"):
        behind.poll()  # a plain web server is a poor proxy: it is asked, and knows no such file
    assert server.requests == [("http://registry.invalid/metadata/timestamp.json", 404)]
