"""Downloads from a real server: whatever it does, the bytes are right or there is an error, in bounded time."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from support import http_files as ways
from support.http_files import FileServer

from edged.errors import EdgedError, ModelError, UnavailableError, UsageError
from edged.models.download import KEPT_SECONDS, Patience, Wanted, download

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = bytes(range(256)) * 1200  # 307,200 bytes: several reads
SHA256 = hashlib.sha256(DATA).hexdigest()
QUICK = Patience(total=5.0, stall=0.4, tries=2, pause=0.01)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


def fetch(
    address: str, folder: Path, *, size: int | None = len(DATA), patience: Patience = QUICK, most: int | None = None
) -> bytes:
    return download(Wanted(address, SHA256, size), folder, patience=patience, most=most)


@pytest.mark.parametrize("size", [len(DATA), None])
@pytest.mark.parametrize("way", [ways.whole, ways.without_parts, ways.of_no_length])
def test_good_servers_give_the_file_and_nothing_is_left_behind(
    server: FileServer, tmp_path: Path, way: object, size: int | None
) -> None:
    address = server.at("/m.tflite", way(DATA))  # type: ignore[operator]
    assert fetch(address, tmp_path, size=size) == DATA
    assert not list(tmp_path.iterdir())
    assert len(server.requests) == 1


def test_progress_is_told_up_to_the_end(server: FileServer, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    address = server.at("/m", ways.whole(DATA))
    download(Wanted(address, SHA256, len(DATA)), tmp_path, told=lambda have, of: told.append((have, of)))
    assert told[0] == (0, len(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert sorted(told) == told


def test_connection_that_breaks_off_again_and_again_is_taken_up_where_it_broke(
    server: FileServer, tmp_path: Path
) -> None:
    address = server.at("/m", ways.breaking(DATA, 100_000))
    assert fetch(address, tmp_path) == DATA
    assert server.ranges() == [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]


def test_next_download_goes_on_where_the_last_one_gave_up(server: FileServer, tmp_path: Path) -> None:
    address = server.at("/m", ways.once_only_so_much(DATA, 120_000))
    with pytest.raises(UnavailableError, match=r"503.*120000 bytes are kept"):
        fetch(address, tmp_path)
    [part] = tmp_path.iterdir()
    assert part.read_bytes() == DATA[:120_000]
    server.requests.clear()
    server.at("/m", ways.whole(DATA))
    assert fetch(address, tmp_path) == DATA
    assert server.ranges() == ["bytes=120000-"]
    assert not list(tmp_path.iterdir())


def test_part_that_is_all_of_it_needs_no_server(tmp_path: Path) -> None:
    (tmp_path / f"{SHA256}.part").write_bytes(DATA)
    assert fetch("https://models.invalid/m", tmp_path, size=None) == DATA
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [len(DATA), None])
def test_part_of_another_file_costs_a_second_download_and_no_more(
    server: FileServer, tmp_path: Path, size: int | None
) -> None:
    for wrong in (b"x" * 1000, b"x" * len(DATA), b"x" * (len(DATA) + 1000)):
        server.requests.clear()
        (tmp_path / f"{SHA256}.part").write_bytes(wrong)
        assert fetch(server.at("/m", ways.whole(DATA)), tmp_path, size=size) == DATA
        assert server.requests[-1] == ("/m", None)
        assert len(server.requests) <= 2
        assert not list(tmp_path.iterdir())


def test_server_without_parts_begins_anew(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / f"{SHA256}.part").write_bytes(DATA[:5000])
    assert fetch(server.at("/m", ways.without_parts(DATA)), tmp_path) == DATA


def test_server_that_sends_another_part_is_refused(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / f"{SHA256}.part").write_bytes(DATA[:5000])
    with pytest.raises(UnavailableError, match="another part than was asked for"):
        fetch(server.at("/m", ways.wrong_part(DATA)), tmp_path)


@pytest.mark.parametrize(
    ("way", "size", "error", "reason"),
    [
        (ways.claiming(DATA, len(DATA) + 10), len(DATA), ModelError, "has 307210 bytes where 307200 are expected"),
        (ways.claiming(DATA, len(DATA) + 10), None, UnavailableError, "10 bytes are missing"),
        (ways.claiming(DATA, 1000), len(DATA), ModelError, "has 1000 bytes where 307200 are expected"),
        (ways.claiming(DATA, 1000), None, ModelError, "its sha256 is"),
        (ways.whole(DATA[:-1] + b"!"), len(DATA), ModelError, f"where {SHA256} is expected"),
        (ways.of_no_length(DATA[:-5]), len(DATA), UnavailableError, "5 bytes are missing"),
        (ways.of_no_length(DATA + b"more"), len(DATA), ModelError, "more than the 307200 bytes"),
        (ways.endless(), len(DATA), ModelError, "more than the 307200 bytes"),
        (ways.page(), len(DATA), ModelError, "a web page"),
        (ways.page(), None, ModelError, "a web page"),
        (ways.failing(404), len(DATA), UnavailableError, "404"),
        (ways.failing(500), len(DATA), UnavailableError, "500"),
        (ways.leading_to("ftp://127.0.0.1/m"), None, UnavailableError, "leads elsewhere"),
        (ways.leading_to("file:///etc/passwd"), None, UnavailableError, "is not allowed"),
        (ways.leading_to("/m"), None, UnavailableError, "infinite loop"),
        (ways.silent_after(DATA, 1000), None, UnavailableError, "in time"),
    ],
)
def test_server_that_does_not_give_the_file_is_an_error_that_says_why(  # noqa: PLR0913, PLR0917  the table's columns
    server: FileServer, tmp_path: Path, way: ways.Way, size: int | None, error: type[EdgedError], reason: str
) -> None:
    started = time.monotonic()
    with pytest.raises(error, match=reason) as caught:
        fetch(server.at("/m", way), tmp_path, size=size)
    assert str(caught.value).startswith(f"http://127.0.0.1:{server.server_port}/m: ")
    assert time.monotonic() - started < 5
    for part in tmp_path.iterdir():  # only what a later try can use
        assert DATA.startswith(part.read_bytes())


def test_endless_file_of_unknown_size_ends_at_the_cap(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="more than the 1000000 bytes"):
        fetch(server.at("/m", ways.endless()), tmp_path, size=None, most=1_000_000)
    assert not list(tmp_path.iterdir())


def test_byte_at_a_time_ends_at_the_total_time(server: FileServer, tmp_path: Path) -> None:
    patience = Patience(total=0.5, stall=0.4, tries=2, pause=0.01)
    started = time.monotonic()
    with pytest.raises(UnavailableError, match=r"in time|not done within"):
        fetch(server.at("/m", ways.trickling(DATA, 0.02)), tmp_path, patience=patience)
    assert time.monotonic() - started < 2


def test_redirection_is_followed_to_where_the_file_is(server: FileServer, tmp_path: Path) -> None:
    target = server.at("/there", ways.whole(DATA))
    assert fetch(server.at("/m", ways.leading_to(target)), tmp_path) == DATA


def test_nobody_listening_is_unavailable(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/m"
    with pytest.raises(UnavailableError, match="refused"):
        fetch(address, tmp_path)
    assert not list(tmp_path.iterdir())


def test_server_that_speaks_no_tls_is_said_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = plain.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(UnavailableError, match=r"the server speaks no TLS \(is it http://\?\)"):
            fetch(f"https://127.0.0.1:{plain.getsockname()[1]}/m", tmp_path)
        plain.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize(
    "address",
    ["ftp://x/m", "file:///etc/passwd", "https://", "https://u:p@host/m", "m.tflite", "http://[::1/m", "data:,x"],
)
def test_what_is_no_address_is_a_wrong_word(tmp_path: Path, address: str) -> None:
    with pytest.raises(UsageError):
        fetch(address, tmp_path)


def test_second_process_does_not_write_into_the_first_ones_download(server: FileServer, tmp_path: Path) -> None:
    import fcntl  # noqa: PLC0415  only here

    with (tmp_path / f"{SHA256}.part").open("wb") as part:
        fcntl.flock(part, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError, match="another edged is downloading"):
            fetch(server.at("/m", ways.whole(DATA)), tmp_path)


def test_what_nobody_came_back_for_is_thrown_away(server: FileServer, tmp_path: Path) -> None:
    import os  # noqa: PLC0415  only here

    old, new = tmp_path / f"{'0' * 64}.part", tmp_path / f"{'1' * 64}.part"
    for path in (old, new):
        path.write_bytes(b"x")
    then = time.time() - KEPT_SECONDS - 10
    os.utime(old, (then, then))
    fetch(server.at("/m", ways.whole(DATA)), tmp_path)
    assert list(tmp_path.iterdir()) == [new]


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (apt install openssl)")
    folder = tmp_path_factory.mktemp("certificate")
    words = "req -x509 -newkey rsa:2048 -nodes -keyout key -out crt -days 2 -subj /CN=x"
    words += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(["openssl", *words.split()], cwd=folder, check=True, capture_output=True)  # noqa: S607
    return folder / "crt", folder / "key"


def test_https_with_a_trusted_certificate_is_read_and_leads_to_no_http(
    server: FileServer, tmp_path: Path, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = server.at("/plain", ways.whole(DATA))
    with FileServer(certificate) as safe:
        address = safe.at("/m", ways.breaking(DATA, 200_000))
        with pytest.raises(UnavailableError, match="certificate is not trusted"):
            fetch(address, tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        assert fetch(address, tmp_path) == DATA
        with pytest.raises(UnavailableError, match="leads from https:// to http://"):
            fetch(safe.at("/away", ways.leading_to(plain)), tmp_path)
        with pytest.raises(UnavailableError, match="in time"):
            fetch(safe.at("/silent", ways.silent_after(DATA, 10)), tmp_path)
    assert not server.requests
