"""Which steps make an installation, and which take it away, in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.config.load import DEFAULT
from edged.errors import UsageError
from edged.installation import texts
from edged.installation.step import Command, Link, Remove, Step, Write, find_program

if TYPE_CHECKING:
    from edged.installation.system import System
    from edged.installation.texts import Service

NAME: Final = "edged.service"
UNIT: Final = f"/etc/systemd/system/{NAME}"
WANTED: Final = f"/etc/systemd/system/multi-user.target.wants/{NAME}"
RULES: Final = "/etc/udev/rules.d/60-edged.rules"
SYSUSERS: Final = "/etc/sysusers.d/edged.conf"
TMPFILES: Final = "/etc/tmpfiles.d/edged.conf"
SHARE: Final = "/usr/local/share"
SHARED: Final = (
    "bash-completion/completions/edged",
    "zsh/site-functions/_edged",
    "fish/vendor_completions.d/edged.fish",
    "man/man1/edged.1",
)
"""The same below `SHARE` as below `share/`."""
CONFIGURATION: Final = str(DEFAULT)
STATE: Final = "/var/lib/edged"
PACKAGED: Final = (f"/usr/lib/systemd/system/{NAME}", f"/lib/systemd/system/{NAME}")
SUBSYSTEMS: Final = ("usb", "apex", "dma_heap")  # those that the rules name

NEEDS_SYSTEMD: Final = "`edged install` is for systems with systemd; elsewhere let your own init start `edged run`"
LOOK: Final = f"what it said: journalctl -u {NAME} -n 20; is the configuration right? {{program}} check"
START_SECONDS: Final = 200.0  # TimeoutStartSec= and TimeoutStopSec= of the unit, and more
STOP_SECONDS: Final = 30.0


def refuse_packaged(system: System, instead: str) -> None:
    """Raises UsageError where Debian's package has installed edged. `instead`: what to do there."""
    for name in PACKAGED:
        if system.path(name).exists():
            raise UsageError(f"edged is installed by its Debian package ({name}), which takes care of this: {instead}")


def files(system: System, service: Service) -> list[Write]:
    """The files of an installation."""
    return [
        Write(system, UNIT, texts.unit(service)),
        Write(system, RULES, texts.rules()),
        Write(system, SYSUSERS, texts.sysusers(service)),
        Write(system, TMPFILES, texts.tmpfiles(service)),
        *(Write(system, f"{SHARE}/{name}", texts.shared(name)) for name in SHARED),
        # root's alone until systemd-tmpfiles gives it to the service's group: it may hold passwords one day
        Write(system, CONFIGURATION, texts.configuration(), keep=True, mode=0o640),
    ]


def install(system: System, service: Service, *, start: bool, is_active: bool) -> list[Step]:
    """What an installation still needs, in order.

    Args:
        system: where.
        service: who runs what.
        start: whether it shall run when all is done, where the system runs.
        is_active: whether it runs now.
    """
    writes = files(system, service)
    changed = {step.name for step in writes if step.to_do() is not None}
    link = Link(system, WANTED, UNIT)
    steps: list[Step] = [*writes, link]
    lacking = system.user(service.user) is None or not system.path(STATE).is_dir()
    if lacking or changed & {SYSUSERS, TMPFILES, CONFIGURATION}:
        root = [] if system.is_this_machine else [f"--root={system.root}"]
        name = SYSUSERS.rpartition("/")[2]
        steps += [
            Command(("systemd-sysusers", *root, name), "the user and its groups", _image_cure(system)),
            Command(("systemd-tmpfiles", *root, "--create", name), "the folders", _image_cure(system)),
        ]
    if not system.runs:
        return steps
    if RULES in changed and find_program("udevadm") is not None:
        steps += _rules_apply()
    if UNIT in changed or link.to_do() is not None:
        steps.append(_reload())
    if start and (UNIT in changed or not is_active):
        cure = f"edged is installed, and does not start. {LOOK.format(program=service.program)}"
        words = ("systemctl", "restart", NAME)
        steps.append(Command(words, "starts, and waits until it labels", cure, START_SECONDS))
    return steps


def uninstall(system: System, *, purge: bool) -> list[Step]:
    """What takes an installation away, in order; with `purge` its configuration, state and user too."""
    shared = [f"{SHARE}/{name}" for name in SHARED]
    removals: list[Remove] = [Remove(system, name) for name in (WANTED, UNIT, RULES, SYSUSERS, TMPFILES, *shared)]
    there = {step.name for step in removals if step.to_do() is not None}
    steps: list[Step] = []
    if system.runs and UNIT in there:
        cure = f"end it by hand (systemctl kill -s KILL {NAME}), then run this again"
        steps.append(Command(("systemctl", "stop", NAME), "ends the daemon", cure, STOP_SECONDS))
    steps += removals
    if system.runs:
        if there & {UNIT, WANTED}:
            steps.append(_reload())
        if RULES in there and find_program("udevadm") is not None:
            steps += _rules_apply()
    if purge:
        folders = (f"{UNIT}.d", CONFIGURATION.rpartition("/")[0], STATE)
        steps += [Remove(system, folder) for folder in folders]
        steps += _remove_user(system)
    return steps


def _remove_user(system: System) -> list[Step]:
    """The daemon's user and its group. `userdel` takes the group along where login.defs says so, and in no image."""
    where = () if system.is_this_machine else ("--prefix", str(system.root))
    name = texts.OWN_USER
    steps: list[Step] = []
    if system.user(name) is not None:
        cure = f"remove the user by hand: userdel {name}"
        steps.append(Command(("userdel", *where, name), "the daemon's user", cure))
    if system.has_group(name):
        cure = f"remove the group by hand: groupdel {name}"
        words = ("groupdel", *where, name)
        steps.append(Command(words, "and its group", cure, is_needed=lambda: system.has_group(name)))
    return steps


def _reload() -> Command:
    return Command(("systemctl", "daemon-reload"), "systemd reads its units again", NEEDS_SYSTEMD)


def _rules_apply() -> list[Step]:
    cure = "restart the machine, and the rules hold"
    matches = tuple(f"--subsystem-match={name}" for name in SUBSYSTEMS)
    return [
        Command(("udevadm", "control", "--reload"), "udev reads its rules again", cure),
        Command(("udevadm", "trigger", *matches), "and applies them to what is plugged in", cure),
    ]


def _image_cure(system: System) -> str:
    if system.is_this_machine:
        return NEEDS_SYSTEMD
    return f"install systemd here, or run `edged install` inside the image (chroot {system.root})"
