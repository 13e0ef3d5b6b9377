"""Who is let in, from where, and how fast: a page that wants a token, and one that is for this machine alone."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, cast

import pytest
from support.daemon import Daemon
from support.mosquitto import HOST, Subscriber, free_port, until
from support.page import START_S, TOKEN, page_of

from edged.config import parse_config
from edged.web import open_page
from edged.web import page as page_module
from edged.web.server import PageServer

if TYPE_CHECKING:
    from pathlib import Path

    from support.mosquitto import Mosquitto
    from support.page import Asker

    from edged.config.addresses import Server
    from edged.web.parts import Parts

BEARER = f"Bearer {TOKEN}"


def test_without_the_token_there_is_nothing_to_see(locked: Asker) -> None:
    for path in ("/metrics", "/openapi.json", "/api/health", "/api/cameras", "/cameras/a/snapshot.jpg", "/api/live"):
        answer = locked(path)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer"), path
    assert (locked("/").status, locked("/").headers["location"]) == (303, "login")
    assert locked("/healthz").json == {"status": "ok"}, "a probe needs no token, and hears no more"
    assert locked.post("/api/inference", {"action": "restart"}).status == 401


def test_a_program_shows_the_token_in_a_header(locked: Asker) -> None:
    assert locked("/api/health", authorization=BEARER).status == 200
    assert locked.post("/api/cameras/a/fps", {"value": None}, authorization=BEARER).status == 200
    assert locked("/healthz", authorization=BEARER).json == {"status": "ok", "reason": None}


def test_a_browser_shows_it_once_and_keeps_a_session(locked: Asker) -> None:
    answer = locked.form("/login", {"token": TOKEN})
    cookie = answer.headers["set-cookie"]
    assert (answer.status, answer.headers["location"]) == (303, ".")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict"))
    assert TOKEN not in cookie
    session = cookie.partition(";")[0]
    assert locked("/", cookie=session).status == 200
    assert locked("/", cookie=session[:-1] + ("0" if session[-1] != "0" else "1")).status == 303
    setting = {"what": "set", "camera": "a", "setting": "fps", "value": "null"}
    assert locked.form("/do", setting, cookie=session).status == 403, "no proof"
    proof = locked.proof(cookie=session)
    assert locked.form("/do", {**setting, "proof": proof}, cookie=session).status == 303
    other = locked.form("/login", {"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    assert locked.form("/do", {**setting, "proof": proof}, cookie=other).status == 403, "another session's proof"
    out = locked.form("/logout", {"proof": proof}, cookie=session)
    assert (out.status, 'edged_session=""' in out.headers["set-cookie"]) == (303, True)


def test_what_others_on_this_host_put_into_the_cookies_logs_nobody_out(locked: Asker) -> None:
    session = locked.form("/login", {"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    for other in ('a={"x":1}', "a=b c", "a", "a@b=c", "expires=x", 'a="x,y"', f"a={'y' * 5000}"):
        for cookies in (f"{other}; {session}", f"{session}; {other}"):
            assert locked("/", cookie=cookies).status == 200, cookies[:20]


def test_a_session_behind_tls_is_for_tls_alone(locked: Asker) -> None:
    secure = locked.form("/login", {"token": TOKEN}, origin="https://porch.example", host="porch.example")
    assert "Secure" in secure.headers["set-cookie"]


def test_the_page_is_known_by_its_own_names_alone(locked: Asker, ask: Asker) -> None:
    name = socket.gethostname()
    for host in ("127.0.0.1", "192.168.1.7:8765", "[fd00::1]:80", "localhost", name, f"{name}.local", "porch.example"):
        assert locked("/healthz", host=host).status == 200, host
    for host in ("evil.example", "127.0.0.1.evil.example", "porch.example.evil.example", "a b", "", "porch.example@x"):
        assert locked("/healthz", host=host).status == 421, host
    assert ask("/healthz", host="192.168.1.7").status == 421, "what is for loopback alone is not known otherwise"


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://127.0.0.1:1", "http://evil.example#127.0.0.1", "http://[", "http://x]"],
)
def test_another_sites_page_changes_nothing(ask: Asker, origin: str) -> None:
    forged = ask.post("/api/cameras/a/enabled", {"value": "OFF"}, origin=origin, x_csrf_token=ask.proof())
    assert forged.status == 403
    assert ask.form("/do", {"proof": ask.proof(), "what": "inference"}, origin=origin).status == 403
    assert ask("/api/cameras/a").json["settings"]["enabled"] is True


def test_a_browser_without_our_pages_proof_changes_nothing(ask: Asker) -> None:
    own = f"http://{HOST}:{ask.port}"
    command = "/api/cameras/a/fps", {"value": None}
    assert ask.post(*command, origin=own).status == 403
    assert ask.post(*command, sec_fetch_site="cross-site").status == 403
    assert ask.post(*command, origin=own, x_csrf_token="0" * 64).status == 403
    assert ask.post(*command, origin=own, x_csrf_token=ask.proof()).status == 200
    assert ask("/api/inference", "POST", '{"action":"restart"}', content_type="text/plain").status == 403
    assert ask.post(*command).status == 200, "a program on this machine"


def test_every_answer_forbids_what_a_page_does_not_need(ask: Asker) -> None:
    for path in ("/", "/static/page.js", "/api/health", "/nowhere", "/cameras/a/snapshot.jpg"):
        headers = ask(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert ask("/").headers["cache-control"] == "no-store"


def test_odd_requests_are_answered_in_order(ask: Asker) -> None:
    assert ask("/nowhere").status == 404
    answer = ask("/api/health", "DELETE")
    assert (answer.status, "GET" in answer.headers["allow"]) == (405, True)
    for junk in (b"\0\0\0\r\n\r\n", b"GET / HTTP/9\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n"):
        with ask.connect() as connection:
            connection.sendall(junk)
            assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    assert ask("/healthz").status == 200


def test_a_request_that_breaks_off_is_no_news(ask: Asker, paged: Daemon) -> None:
    kind = "application/x-www-form-urlencoded"
    with ask.connect() as connection:
        head = f"POST /login HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\nto"
        connection.sendall(head.encode())
        time.sleep(0.2)
    assert ask("/healthz").status == 200
    assert "Traceback" not in paged.log


def test_wrong_tokens_are_soon_no_longer_looked_at_and_the_right_one_neither(locked: Asker) -> None:
    statuses = [locked("/api/health", authorization=f"Bearer {number}").status for number in range(8)]
    assert statuses == [401] * 5 + [429] * 3
    assert locked("/api/health", authorization=BEARER).status == 429, "whoever guesses does not learn that this one is"
    assert locked.form("/login", {"token": TOKEN}).status == 429
    assert TOKEN not in locked("/login").text


@pytest.mark.parametrize(
    ("web", "code", "said"),
    [
        ("{listen: '0.0.0.0:8765'}", 78, "web.listen: others could reach the page, and no token_file is given"),
        ("{token_file: short}", 78, "web.token_file: the file does not hold a token"),
        ("{hosts: ['http://x']}", 78, "a list of host names without scheme and port"),
        ("{listen: '127.0.0.1:1234567'}", 78, "web.listen"),
        ("{listen: '127.0.0.1:PORT'}", 69, "another program has the port"),
    ],
)
def test_a_page_that_cannot_be_is_said_at_the_start(tmp_path: Path, web: str, code: int, said: str) -> None:
    (tmp_path / "short").write_text("hunter2\n")
    with socket.create_server((HOST, 0)) as taken:
        more = "web: " + web.replace("PORT", str(taken.getsockname()[1]))
        with Daemon(tmp_path, free_port(), f"  a: {{source: {tmp_path}}}", more=more) as daemon:
            assert daemon.process.wait(10) == code
    assert said in daemon.log
    assert "hunter2" not in daemon.log
    assert "Traceback" not in daemon.log


def test_labels_do_not_wait_for_an_address_that_the_page_listens_on(
    tmp_path: Path, module_broker: Mosquitto, module_photos: Path
) -> None:
    (tmp_path / "token").write_text(TOKEN)
    more = "web: {listen: '192.0.2.1:8765', token_file: token}"
    with (
        Subscriber(module_broker.port, "edged/+/yard/labels") as labels,
        Daemon(tmp_path, module_broker.port, f"  yard: {{source: {module_photos}}}", more=more) as daemon,
    ):
        until(lambda: bool(labels.received), START_S)
        [said] = [line for line in daemon.log.splitlines() if "page: " in line]
        assert "page: cannot listen on 192.0.2.1:8765" in said
        assert "Labels go on, trying again" in said


def test_the_page_comes_once_there_is_its_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tries: list[float] = []

    def listen(address: Server) -> socket.socket:
        tries.append(time.monotonic())
        if len(tries) < 3:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return real(address)

    real = page_module._listen  # noqa: SLF001  what a network does later cannot be had here without root
    monkeypatch.setattr(page_module, "_listen", listen)
    monkeypatch.setattr(page_module, "RETRY_S", 0.1)
    config = parse_config("web: {listen: '127.0.0.1:0'}\ncameras: {a: {source: photos}}\n", name="x", folder=tmp_path)

    async def scenario() -> list[bool]:
        page = open_page(config)
        assert page is not None
        known = [page.url is not None]
        await page.run(cast("Parts", None))  # nobody asks
        known.append(page.url is not None)
        await page.stop()
        return known

    assert asyncio.run(scenario()) == [False, True]
    assert len(tries) == 3


def test_the_page_comes_once_there_is_a_thread_for_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tries: list[PageServer] = []

    def start(server: PageServer) -> None:
        tries.append(server)
        if len(tries) < 3:
            raise RuntimeError("can't start new thread")
        real(server)

    real = PageServer.start
    monkeypatch.setattr(PageServer, "start", start)
    monkeypatch.setattr(page_module, "RETRY_S", 0.1)
    config = parse_config("web: {listen: '127.0.0.1:0'}\ncameras: {a: {source: photos}}\n", name="x", folder=tmp_path)

    async def scenario() -> None:
        page = open_page(config)
        assert page is not None
        await page.run(cast("Parts", None))  # nobody asks
        await page.stop()

    asyncio.run(scenario())
    assert len(tries) == 3
    assert tries[-1].ended


def test_another_token_in_the_file_is_taken_on_by_a_reload_and_whoever_looked_on_is_out(
    tmp_path: Path, module_broker: Mosquitto, module_photos: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    more = "web: {listen: '0.0.0.0:0', token_file: token}"
    with Daemon(tmp_path, module_broker.port, f"  a: {{source: {module_photos}}}", more=more) as daemon:
        ask = page_of(daemon)
        with ask.connect() as looking:
            looking.sendall(f"GET /api/live HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: {BEARER}\r\n\r\n".encode())
            assert looking.recv(100).startswith(b"HTTP/1.1 200")
            (tmp_path / "token").write_text("another-token-that-nobody-guesses\n")
            daemon.process.send_signal(signal.SIGHUP)
            until(lambda: "the page has another token" in daemon.log)
            looking.settimeout(5)
            while not looking.recv(65536).endswith(b"0\r\n\r\n"):
                pass
        assert ask("/api/health", authorization=BEARER).status == 401
        assert ask("/api/health", authorization="Bearer another-token-that-nobody-guesses").status == 200
        assert "nobody-guesses" not in daemon.log


def test_a_daemon_without_a_page_imports_no_server() -> None:
    script = (
        "import sys, edged.daemon, edged.config as c, pathlib; from edged.web import open_page;"
        "text = 'web: {listen: null}\\ncameras: {a: {source: /tmp}}';"
        "config = c.parse_config(text, name='x', folder=pathlib.Path('/'));"
        "assert open_page(config) is None;"
        "print([name for name in ('uvicorn', 'starlette', 'h11', 'prometheus_client') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"
