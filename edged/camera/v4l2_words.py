"""What a V4L2 driver's refusals mean, in words for people."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
from pathlib import Path
from typing import Final

from edged.camera.v4l2_list import list_cameras
from edged.errors import SourceError

_PROC: Final = Path("/proc")
_GONE: Final = (errno.ENODEV, errno.ENXIO, errno.ENOENT)
_PLAIN: Final = {
    errno.EIO: "the driver reports a failure; a loose cable or too little power are the usual causes",
    errno.EPROTO: "the camera does not answer as it should; a loose cable or too little power are the usual causes",
    errno.EPIPE: "the camera refuses what its driver asks; unplug it and plug it in again",
    errno.ETIMEDOUT: "the camera does not answer; unplug it and plug it in again",
    errno.ENOSPC: "the USB bus has no room left for its pictures; attach it, or other devices, elsewhere",
    errno.ENOMEM: "no memory for its pictures",
    errno.ENOTTY: "not a camera",
}


def explain(error: Exception, node: Path, shown: str) -> SourceError:
    """The error as one that says what to do. `shown` is the camera for people: node, and name where it is known."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _GONE:
        reason = "unplugged" if os.path.exists(node) else f"not there; {others()}"  # noqa: PTH110  this never raises
    elif number in {errno.EACCES, errno.EPERM}:
        reason = _permission(node)
    elif number == errno.EBUSY:
        reason = f"in use by {holders(node) or 'another program'}; only one at a time can have it"
    elif number in _PLAIN:
        reason = _PLAIN[number]
    else:
        reason = f"the driver refuses ({(isinstance(error, OSError) and error.strerror) or error})"
    return SourceError(f"{shown}: {reason}")


def others() -> str:
    """Which cameras there are instead."""
    cameras = [f"{camera.node} ({camera.name})" for camera in list_cameras()]
    return f"there is {', '.join(cameras)}" if cameras else "no camera is attached"


def holders(node: Path) -> str:
    """The processes that have the device open, as far as /proc tells this user; empty when it tells nothing."""
    target = os.path.realpath(node)
    found = []
    for process in sorted(_PROC.glob("[0-9]*"), key=lambda folder: int(folder.name)):
        with contextlib.suppress(OSError):  # another user's, or it has ended
            if any(_leads_to(target, descriptor) for descriptor in (process / "fd").iterdir()):
                found.append(_process(process))
    return " and ".join(found)


def _leads_to(target: str, link: Path) -> bool:
    try:
        return os.readlink(link) == target  # noqa: PTH115  as it is, whatever that may be
    except OSError:  # closed meanwhile
        return False


def _process(folder: Path) -> str:
    if folder.name == str(os.getpid()):
        return "edged itself (another camera of its configuration?)"
    return f"{(folder / 'comm').read_text('utf-8', 'replace').strip()} (process {folder.name})"


def _permission(node: Path) -> str:
    if os.geteuid() == 0:
        return f"not even root may open it: a container has to be given it, as with 'docker run --device {node}'"
    user = _user()
    try:
        owner = grp.getgrgid(node.stat().st_gid).gr_name
    except (OSError, KeyError):
        owner = "video"
    group = "video" if owner == "root" else owner
    return (
        f"the user {user} may not open it; add the user to the group {group} with 'sudo usermod -aG {group} {user}',"
        " then log in again or restart the service"
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
