"""How a user gets to a device that it may not open."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

from edged.doctor.machine import group_name

if TYPE_CHECKING:
    from pathlib import Path

    from edged.doctor.machine import User

GROUP_MAY: Final = stat.S_IRGRP | stat.S_IWGRP
ANEW: Final = "log out and in again; if systemd runs edged, restart the service"


def let_in(user: User, node: Path, group: str, rules: str | None = None) -> str:
    """The commands that let a user open a device.

    Args:
        user: who is refused.
        node: the device.
        group: the group that such devices usually belong to.
        rules: the commands that give the device to that group, where the system does not do so by itself.
    """
    try:
        status = node.stat()
    except OSError:
        return join_group(user, group)
    owner = group_name(status.st_gid)
    if owner == "root" or status.st_mode & GROUP_MAY != GROUP_MAY:
        return join_group(user, group) if rules is None else f"{rules}\n{join_group(user, group)}"
    return join_group(user, owner)


def join_group(user: User, group: str) -> str:
    """The command that puts a user into a group, or what makes a membership take effect."""
    if group in user.listed:
        return f"{user.name} is in the group {group} from the next login on: {ANEW}"
    return f"sudo usermod -aG {group} {user.name}\nthen {ANEW}"
