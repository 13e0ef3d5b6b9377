"""`edged watch`, as a user runs it: in a terminal of a given size, or into a pipe, at a real broker."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Self

import pytest
from support.mosquitto import HOST, Mosquitto, Subscriber, free_port, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COMMAND = [sys.executable, "-m", "edged", "watch"]
START_SECONDS = 15.0
CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
EVIL = "\x1b]0;title\x07\x1b[2Jevil[red]"


class Terminal:
    """A terminal that edged watch runs in. `text`: what was written since the last `clear`, without colours."""

    def __init__(self, *words: str, columns: int = 100, rows: int = 30, **environment: str) -> None:
        self._main, child = pty.openpty()
        self.resize(columns, rows)
        clean = {name: text for name, text in os.environ.items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            env={**clean, "TERM": "xterm-256color", **environment},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509  so that Ctrl-C reaches it
        )
        os.close(child)
        self.raw = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._main)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press(self, keys: bytes) -> None:
        os.write(self._main, keys)

    @property
    def text(self) -> str:
        self.read()
        return CONTROL.sub("", self.raw.decode(errors="replace"))

    def read(self) -> None:
        while select.select([self._main], [], [], 0)[0]:
            try:
                self.raw += os.read(self._main, 65536)
            except OSError:  # nobody has it open any more
                break

    def wait_for(self, words: str) -> None:
        self.wait(lambda: words in self.text)

    def wait(self, true: Callable[[], bool]) -> None:
        until(true, START_SECONDS)

    def clear(self) -> None:
        self.read()
        self.raw = b""

    def end(self) -> int:
        """Wait until it has ended. Gives its exit code."""
        self.wait(self._has_ended)
        return self.process.returncode

    def _has_ended(self) -> bool:
        self.read()  # who writes into a full terminal does not end
        return self.process.poll() is not None


def labels(*texts: str) -> str:
    return json.dumps({"schema": 1, "frame": 1, "labels": [{"text": text, "confidence": 0.9} for text in texts]})


@pytest.fixture
def fleet(subscriber: Subscriber) -> Subscriber:
    for name in ("porch-pi", "shed-pi"):
        subscriber.send(f"edged/{name}/status", "online", retain=True)
        subscriber.send(f"edged/{name}/a/present/cat", "ON", retain=True)
    return subscriber


def test_screen_shows_devices_live_and_ctrl_c_ends_it_at_once(broker: Mosquitto, fleet: Subscriber) -> None:
    with Terminal("--host", f"{HOST}:{broker.port}") as terminal:
        terminal.wait_for("shed-pi")
        fleet.send("edged/porch-pi/a/labels", labels("Tabby", EVIL))
        fleet.send("edged/porch-pi/a/labels", b"\xff{")
        terminal.wait_for("Tabby")
        terminal.wait_for("1 message unreadable")
        assert " cat " in terminal.text
        assert b"\x1b]0;" not in terminal.raw
        began = time.monotonic()
        terminal.press(b"\x03")
        assert terminal.end() == 130
        assert time.monotonic() - began < 1.0
        assert terminal.raw.endswith(b"\x1b[?25h\x1b[?1049l")  # the cursor, and the terminal as it was


def test_broker_that_goes_is_said_and_come_back_to(broker: Mosquitto, fleet: Subscriber) -> None:
    with Terminal("--host", f"{HOST}:{broker.port}") as terminal:
        terminal.wait_for("shed-pi")
        broker.kill()
        terminal.wait_for("no connection: ")
        broker.start()
        terminal.clear()
        # Nothing was kept at the broker, so nothing of before is shown as if it were so.
        terminal.wait_for("no device has said anything yet")
        fleet.send("edged/late-pi/status", "online", retain=True)
        terminal.wait_for("late-pi")


def test_resized_and_narrow_terminals_get_no_line_that_is_too_long(broker: Mosquitto, fleet: Subscriber) -> None:
    fleet.send("edged/porch-pi/model", json.dumps({"schema": 1, "name": "n" * 80, "version": "1", "state": "good"}))
    with Terminal("--host", f"{HOST}:{broker.port}", columns=120) as terminal:
        terminal.wait_for("shed-pi")
        terminal.resize(24, 8)
        time.sleep(0.6)  # two pictures
        terminal.clear()
        terminal.wait_for("porch-pi")
        time.sleep(0.6)
        terminal.read()
        lines = re.split(r"[\r\n]+|\x1b\[H", terminal.raw.decode(errors="replace"))  # \x1b[H: another picture begins
        assert max(len(CONTROL.sub("", line)) for line in lines) <= 24
        terminal.press(b"q")
        assert terminal.end() == 0


@pytest.mark.usefixtures("fleet")
def test_no_colour_where_none_is_wanted(broker: Mosquitto) -> None:
    with Terminal("--host", f"{HOST}:{broker.port}", NO_COLOR="1") as terminal:
        terminal.wait_for("shed-pi")
        assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", terminal.raw)


@pytest.mark.usefixtures("fleet")
def test_terminal_without_unicode_gets_ascii_alone(broker: Mosquitto) -> None:
    with Terminal("--host", f"{HOST}:{broker.port}", PYTHONIOENCODING="ascii", PYTHONUTF8="0") as terminal:
        terminal.wait_for("* shed-pi")
        assert terminal.raw.isascii()


@pytest.mark.usefixtures("fleet")
def test_sigterm_leaves_the_terminal_as_it_was(broker: Mosquitto) -> None:
    with Terminal("--host", f"{HOST}:{broker.port}") as terminal:
        terminal.wait_for("shed-pi")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 143
        assert b"\x1b[?1049l" in terminal.raw


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.usefixtures("fleet")
def test_pipe_gets_a_line_for_each_change(broker: Mosquitto) -> None:
    done = run("--host", f"{HOST}:{broker.port}", "--seconds", "1.5", "--device", "shed*")
    assert (done.returncode, done.stderr) == (0, "")
    said = [line[10:] for line in done.stdout.splitlines()]
    assert said == [f"connected to {HOST}:{broker.port} (MQTT 5)", "shed-pi  online", "shed-pi/a  cat: present"]


def test_no_connection_in_the_time_is_69() -> None:
    port = free_port()
    done = run("--host", f"{HOST}:{port}", "--seconds", "0.5")
    assert done.returncode == 69
    assert f"no connection to {HOST}:{port}: Connection refused" in done.stdout
    assert done.stderr == f"edged: no connection to {HOST}:{port} in 0.5 s; `edged doctor` says why\n"


def test_broker_user_and_password_come_from_the_configuration_or_the_words(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", users, "me", "secret"], check=True, capture_output=True)  # noqa: S607  Debian's
    users.chmod(0o600)
    (tmp_path / "password").write_text("secret\n")
    with Mosquitto(tmp_path, lines=("allow_anonymous false", f"password_file {users}")) as broker:
        config = tmp_path / "edged.yaml"
        config.write_text(
            f"mqtt: {{host: {HOST}, port: {broker.port}, username: me, password_file: password}}\n"
            f"cameras: {{a: {{source: {tmp_path}}}}}\n"
        )
        assert "connected to" in run("-c", str(config), "--seconds", "1").stdout
        words = ("--host", f"{HOST}:{broker.port}", "--seconds", "1")
        secret = ("--username", "me", "--password-file", str(tmp_path / "password"))
        assert "connected to" in run(*words, *secret).stdout
        refused = run(*words)
        assert refused.returncode == 69
        assert "the broker refuses the connection: Not authorized" in refused.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--host", "a b"), 64, "--host a b: not a host"),
        (("-c", "nowhere.yaml"), 78, "nowhere.yaml: there is no such file"),
        (("--host", "h", "--password-file", "nowhere"), 64, "--password-file nowhere: the file cannot be read: No"),
        (("--seconds", "0"), 64, "a number of seconds"),
    ],
)
def test_wrong_words_are_said(words: tuple[str, ...], code: int, said: str) -> None:
    done = run(*words)
    assert done.returncode == code
    assert said in done.stderr


def test_daemon_and_other_commands_do_not_load_what_only_watch_needs() -> None:
    code = "import sys, edged.cli.main; print(*sorted({'rich', 'pydantic', 'paho', 'edged.watch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
    code = "import sys, edged.daemon; print(*sorted({'rich', 'edged.watch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
