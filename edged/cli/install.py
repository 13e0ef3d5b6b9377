"""`edged install` and `edged uninstall`: edged as a service of this machine, or of an image."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edged.cli.words import add_command
from edged.errors import PermissionDeniedError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from edged.installation.step import Step
    from edged.installation.system import System
    from edged.installation.texts import Service

INSTALL = """\
Makes edged a service of this machine that starts at boot: systemd unit, udev rules for Edge TPUs, a user of its own,
folders, and a commented configuration at /etc/edged/edged.yaml; the manual (`man edged`) and the shells' completion
below /usr/local/share. Again, it does only what is still to be done; a configuration that is there is never touched."""

INSTALL_EPILOG = """\
examples:
  sudo edged install --dry-run           what would be done?
  sudo edged install                     do it, and start
  sudo edged install --user pi           run as a user that is there already
  sudo edged install --root /mnt/image   into an image that is mounted there; nothing is started

then: edit /etc/edged/edged.yaml, `edged check`, `sudo systemctl restart edged`; `journalctl -fu edged` is its log
exit codes: 0 done, 64 usage, 69 a program of the system's failed, 73 cannot write, 77 not root
"""

UNINSTALL = """\
Takes away what `edged install` made. Configuration and state stay, unless told otherwise; the
program itself stays too."""

UNINSTALL_EPILOG = """\
examples:
  sudo edged uninstall --dry-run     what would be done?
  sudo edged uninstall               the service goes, /etc/edged and /var/lib/edged stay
  sudo edged uninstall --purge       these and the user edged go too

exit codes: 0 done, 64 usage, 69 a program of the system's failed, 73 cannot write, 77 not root
"""


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the words of both commands."""
    parser = add_command(commands, "install", install, "make edged a service of this machine", INSTALL, INSTALL_EPILOG)
    parser.add_argument("--user", metavar="U", default="edged", help="the user that it runs as (%(default)s)")
    parser.add_argument("--program", metavar="PATH", help="the edged that the service starts (default: this one)")
    parser.add_argument("--no-start", action="store_true", help="start at the next boot only")
    _add_common(parser)
    parser = add_command(commands, "uninstall", uninstall, "take that away again", UNINSTALL, UNINSTALL_EPILOG)
    parser.add_argument("--purge", action="store_true", help="configuration, state and user as well")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, metavar="DIR", default=Path("/"), help="the system in this folder instead")
    parser.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")


def install(args: argparse.Namespace) -> int:
    """Install. Returns 0."""
    from edged.installation import plan  # noqa: PLC0415  heavy: the configuration's types
    from edged.installation.system import System  # noqa: PLC0415  as above

    system = System.at(args.root)
    plan.refuse_packaged(system, "`sudo systemctl enable --now edged` starts it, `sudo apt install` updates it")
    _need_root(args)
    service = _service(args, system)
    steps = plan.install(system, service, start=not args.no_start, is_active=system.runs and _is_active(plan.NAME))
    _carry_out(steps, dry_run=args.dry_run)
    if not args.dry_run:
        _say_what_is_next(system, service)
    return 0


def uninstall(args: argparse.Namespace) -> int:
    """Take the installation away. Returns 0."""
    from edged.installation import plan  # noqa: PLC0415  heavy: the configuration's types
    from edged.installation.system import System  # noqa: PLC0415  as above

    system = System.at(args.root)
    verb = "purge" if args.purge else "remove"
    plan.refuse_packaged(system, f"`sudo apt {verb} edged` takes it away")
    _need_root(args)
    _carry_out(plan.uninstall(system, purge=args.purge), dry_run=args.dry_run)
    if not args.purge:
        left = [name for name in (plan.CONFIGURATION, plan.STATE) if system.path(name).exists()]
        if left:
            print(f"Left as they are: {', '.join(left)} (--purge removes them).")
    return 0


def _service(args: argparse.Namespace, system: System) -> Service:
    """Who is to run what, tried out where that can be."""
    from edged.installation import program, texts  # noqa: PLC0415  as above

    numbers = system.user(args.user)
    if numbers is None and args.user != texts.OWN_USER:
        raise UsageError(f"--user {args.user}: there is no such user; make it first (sudo adduser {args.user})")
    group = args.user if numbers is None else system.group_name(numbers[1]) or args.user
    default = program.this_program if system.is_this_machine else lambda: texts.OWN_PROGRAM
    service = texts.Service(args.user, group, args.program or default())
    if not system.is_this_machine:
        if not program.has_program(system, service.program):
            print(f"note: {service.program} is not in the image yet; the service needs it there", file=sys.stderr)
    elif os.geteuid() == 0:
        program.try_program(service.program, service.user, numbers)
    return service


def _need_root(args: argparse.Namespace) -> None:

    if os.geteuid() != 0 and not args.dry_run:
        words = " ".join(sys.argv[1:]) or "install"
        raise PermissionDeniedError(f"needs root: sudo {Path(sys.executable).parent}/edged {words}")


def _is_active(name: str) -> bool:
    from edged.child import run_child  # noqa: PLC0415  as in `install`

    return run_child(("systemctl", "is-active", "--quiet", name), 20.0).fate is None


def _carry_out(steps: Sequence[Step], *, dry_run: bool) -> None:
    count = 0
    for step in steps:
        words = step.to_do()
        if words is None:
            continue
        count += 1
        print(f"{'would ' if dry_run else ''}{words}", flush=True)
        if not dry_run:
            step.do()
    if count == 0:
        print("Nothing to do: all is as it should be.")


def _say_what_is_next(system: System, service: Service) -> None:
    from edged.installation import plan  # noqa: PLC0415  as in `install`

    if not system.runs:
        print("Installed. It starts when this system boots.")
        return
    print(
        f"Installed. Your cameras and your broker: sudoedit {plan.CONFIGURATION}\n"
        f"Then: sudo {service.program} check && sudo systemctl restart edged\n"
        f"Its log: journalctl -fu edged; what this machine lacks: sudo -u {service.user} {service.program} doctor"
    )
