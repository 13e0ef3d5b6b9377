"""The access list that docs/mqtt.md gives, on a real broker, with a user for the device and one for Home Assistant."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from support.mosquitto import Mosquitto

if TYPE_CHECKING:
    from support.daemon import Daemon

PAGE = Path(__file__).parents[2] / "docs" / "mqtt.md"
PASSWORDS = {"test": "of the porch", "yard-pi": "of the yard", "homeassistant": "of the house"}
HOUSE = ("homeassistant", PASSWORDS["homeassistant"])


def documented() -> str:
    """The page's list, for a device called `test`."""
    (block,) = re.findall(r"^```\n(user porch-pi\n.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return str(block).replace("porch-pi", "test")


def for_many() -> str:
    """As the page says it is made into one for any number of devices."""
    device, house = documented().split("\n\n")
    device = device.removeprefix("user test\n").replace("topic ", "pattern ").replace("test", "%u")
    return f"{house}\n{device}\n"


def password_file(folder: Path) -> Path:
    """Of all users."""
    file = folder / "passwords"
    file.touch(0o600)
    for user, password in PASSWORDS.items():
        subprocess.run(["mosquitto_passwd", "-b", file, user, password], check=True, capture_output=True)  # noqa: S607
    return file


def guarded(folder: Path, acl: str) -> Mosquitto:
    """A broker with that list."""
    file = folder / "acl"
    file.write_text(acl, "utf-8")
    lines = ["allow_anonymous false", f"password_file {password_file(folder)}", f"acl_file {file}"]
    return Mosquitto(folder, lines=lines)


def log_in(daemon: Daemon, folder: Path) -> None:
    """Have a daemon, which is to be started, log in as `test`."""
    secret = folder / "password"
    secret.write_text(PASSWORDS["test"] + "\n", "utf-8")
    text = daemon.config.read_text("utf-8")
    login = f"mqtt: {{username: test, password_file: {secret}, "
    daemon.config.write_text(text.replace("mqtt: {", login, 1), "utf-8")
