"""All checks, at the same time, each on its own: one that fails or hangs says so and spoils none of the others."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from edged.camera.without_secrets import without_secrets
from edged.config import redact
from edged.doctor.board import look_at_board
from edged.doctor.broker import LONGEST as BROKER_SECONDS
from edged.doctor.broker import look_at_broker
from edged.doctor.camera import look_at_camera, look_for_cameras
from edged.doctor.check import Check
from edged.doctor.disk import look_at_disk
from edged.doctor.edge_tpu import look_at_edge_tpus
from edged.doctor.library import look_at_library
from edged.doctor.model import look_at_model
from edged.doctor.models import look_at_models
from edged.doctor.registry import LONGEST, look_at_clock, look_at_registry
from edged.doctor.runtime import look_at_runtime
from edged.doctor.together import look_at_use
from edged.models.prove import SECONDS as PROOF_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from edged.doctor.machine import Machine

SECONDS: Final = 60.0  # the runtime's and the device's own bounds, and a second each to end
CAMERA_SECONDS: Final = 15.0  # a name that no server resolves takes ten
REPORT: Final = "what it looks at may be well; please report this, with the output of `edged doctor --json`"


@dataclass(frozen=True, slots=True)
class Subject:
    """One thing to look at: its name, for when it cannot be; what looks; how many seconds that may take."""

    name: str
    look: Callable[[Machine], list[Check]]
    seconds: float = SECONDS


SUBJECTS: Final = (
    Subject("runtime", look_at_runtime),
    Subject("edge tpu", look_at_edge_tpus),
    Subject("libedgetpu", look_at_library),
    Subject("edge tpu use", look_at_use, 75.0),
    Subject("model", look_at_model, PROOF_SECONDS + 10.0),
    Subject("models", look_at_models),
    Subject("registry", look_at_registry, LONGEST),
)
LAST: Final = (
    Subject("broker", look_at_broker, BROKER_SECONDS),
    Subject("clock", look_at_clock),
    Subject("board", look_at_board),
    Subject("disk", look_at_disk),
)


def subjects(machine: Machine) -> tuple[Subject, ...]:
    """What is to be looked at on this machine, in the order of the report."""
    cameras = [
        Subject(f"camera {name}", partial(look_at_camera, camera=name), CAMERA_SECONDS) for name in machine.cameras
    ]
    return (*SUBJECTS, *(cameras or [Subject("cameras", look_for_cameras, CAMERA_SECONDS)]), *LAST)


def examine(machine: Machine, wanted: Iterable[Subject] | None = None) -> list[Check]:
    """Look at everything. Never raises; takes as long as the slowest subject, and no longer than its bound."""
    looks = [_Look(subject, machine) for subject in (subjects(machine) if wanted is None else wanted)]
    return [check for look in looks for check in look.result()]


class _Look:
    """One subject, looked at in a thread of its own, which is left behind when it hangs."""

    def __init__(self, subject: Subject, machine: Machine) -> None:
        self._subject = subject
        self._machine = machine
        self._checks: list[Check] = []
        self._end = time.monotonic() + subject.seconds
        self._thread = threading.Thread(target=self._run, name=f"doctor {subject.name}", daemon=True)
        self._thread.start()

    def result(self) -> list[Check]:
        self._thread.join(max(0.0, self._end - time.monotonic()))
        if self._thread.is_alive():
            text = f"could not be checked within {self._subject.seconds:g} s"
            cure = "something hangs, perhaps in the kernel: look at `dmesg`, unplug what is attached, restart"
            return [Check(self._subject.name, "problem", text, cure)]
        return self._checks

    def _run(self) -> None:
        try:
            self._checks = self._subject.look(self._machine)
        except Exception as error:  # noqa: BLE001  whatever it is, the other checks are worth having
            text = f"{type(error).__name__}: {error}"
            for camera in self._machine.cameras.values():
                text = without_secrets(text, camera.source, redact(camera.source))
            self._checks = [Check(self._subject.name, "problem", f"could not be checked: {text}", REPORT)]
