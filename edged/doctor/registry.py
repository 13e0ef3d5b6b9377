"""The registry: can it be asked, is what it says signed by the pinned keys, and is the clock fit to judge that?"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edged.config import redact
from edged.doctor.check import Check
from edged.errors import EdgedError, RegistryUnavailableError, RegistryUntrustedError, UsageError
from edged.updates.parts import clock_of

if TYPE_CHECKING:
    from edged.config import RegistryConfig
    from edged.doctor.machine import Machine

NAME: Final = "registry"
CLOCK: Final = "clock"
SECONDS: Final = 20.0  # for all of what is asked
LONGEST: Final = SECONDS + 15.0  # a file may take its own time besides
SET_CLOCK: Final = "sudo timedatectl set-ntp true; `timedatectl timesync-status` shows whether a time server answers"
REFRESH: Final = "its operator runs `edged registry refresh` daily, and uploads what is new (docs/registry.md)"
PINNED: Final = "the registry's root.json, brought here by a way you trust: docs/registry.md"


def look_at_clock(machine: Machine) -> list[Check]:
    """Whether the clock can be believed. Labels do not hang on it; updates do."""
    reading = clock_of(machine.state).read()
    if reading.why_not is not None:
        return [Check(CLOCK, "warning", reading.why_not, SET_CLOCK)]
    text = f"{reading.now:%Y-%m-%d %H:%M} UTC" + (", synchronised" if reading.synchronised else "")
    return [Check(CLOCK, "ok", text)]


def look_at_registry(machine: Machine) -> list[Check]:
    """Ask it as the daemon does, without leaving anything behind."""
    registry = machine.registry
    if registry is None:
        cure = "registry: {url: https://…, root: /etc/edged/root.json} in the configuration (docs/updates.md)"
        return [Check(NAME, "absent", "none is configured: models do not come or change by themselves", cure)]
    if clock_of(machine.state).read().why_not is not None:
        text = f"{redact(registry.url)}: not asked, since what is signed cannot be judged without a clock"
        return [Check(NAME, "warning", text, SET_CLOCK)]
    return [_asked(registry)]


def _asked(registry: RegistryConfig) -> Check:
    from edged.updates.fetcher import Fetcher, Patience  # noqa: PLC0415  tuf takes its time
    from edged.updates.trusted import refresh  # noqa: PLC0415  as above

    where = redact(registry.url)
    patience = Patience(answer=10.0, stall=10.0, least=SECONDS, poll=SECONDS)
    try:
        fetcher = Fetcher(registry.url, patience, time.monotonic() + patience.poll)
        with tempfile.TemporaryDirectory(prefix="edged-doctor-") as folder:
            trusted = refresh(Path(folder) / "metadata", registry.root, fetcher)
    except RegistryUnavailableError as error:
        cure = (
            f"is the address right, and does this machine reach it? curl -I {where.rstrip('/')}/metadata/timestamp.json"
        )
        if where.startswith("file:"):
            cure = "is the folder there, mounted, and for this user to read?"
        return Check(NAME, "problem", str(error), cure)
    except UsageError as error:
        return Check(NAME, "problem", f"registry.url: {error}", "correct the address in the configuration")
    except EdgedError as error:
        if isinstance(error, RegistryUntrustedError) and error.expired:
            cure = REFRESH
        elif registry.root.is_file():
            cure = f"compare {registry.root} with {PINNED}; if it is the right one, the registry's operator has to act"
        else:
            cure = PINNED
        return Check(NAME, "problem", str(error), cure)
    return Check(
        NAME, "ok", f"{where}: signed by the keys of {registry.root}, until {trusted.expires:%Y-%m-%d %H:%M} UTC"
    )
