"""One camera of the configuration: is it there, may it be read, does somebody answer?"""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final, assert_never

from edged.camera.picamera_list import list_picameras
from edged.camera.picamera_words import MISSING_LIBRARIES
from edged.camera.stream_address import StreamAddress
from edged.camera.v4l2_list import list_cameras, node_of
from edged.config import redact, source_kind
from edged.doctor.check import Check
from edged.doctor.permission import let_in
from edged.errors import SourceError

if TYPE_CHECKING:
    from edged.camera.v4l2_list import V4l2Camera
    from edged.doctor.machine import Machine

CONNECT_SECONDS: Final = 3.0
CABLE: Final = (
    "check both ends of its cable and start the Pi anew; `rpicam-hello --list-cameras` shows what the system sees"
)


def look_at_camera(machine: Machine, camera: str) -> list[Check]:
    """The camera of this name."""
    address = machine.cameras[camera].source
    name = f"camera {camera}"
    kind = source_kind(address)
    match kind:
        case "picamera":
            return [_picamera(name, address)]
        case "v4l2":
            return [_v4l2(name, address, machine)]
        case "rtsp" | "http":
            return [_stream(name, address)]
        case "path":
            return [_path(name, address, machine)]
    assert_never(kind)


def look_for_cameras(machine: Machine) -> list[Check]:
    """What is attached, for one who has no configuration yet."""
    lines = [f"picamera:{number} ({model})" for number, model in enumerate(list_picameras())]
    lines += [f"v4l2:{camera.node} ({camera.name})" for camera in list_cameras(machine.root)]
    if lines:
        return [Check("cameras", "ok", f"attached: {', '.join(lines)}")]
    return [Check("cameras", "absent", "none is attached that libcamera or V4L2 knows of")]


def _picamera(name: str, address: str) -> Check:
    number = int(address.partition(":")[2] or 0)
    for module, cure in MISSING_LIBRARIES.items():
        if importlib.util.find_spec(module) is None:
            return Check(name, "problem", f"{address}: the Python module {module} is not there", cure)
    models = list_picameras()
    if number < len(models):
        return Check(name, "ok", f"{address}: {models[number]}")
    there = f"only {', '.join(models)}" if models else "no camera"
    return Check(name, "problem", f"{address}: libcamera finds {there}", CABLE)


def _v4l2(name: str, address: str, machine: Machine) -> Check:
    node = node_of(address.partition(":")[2], machine.root)
    cameras = list_cameras(machine.root)
    camera = next((each for each in cameras if _is(each, node)), None)
    if camera is None:
        there = ", ".join(f"v4l2:{each.node} ({each.name})" for each in cameras)
        cure = f"take what is there: {there}" if there else "plug it in; `v4l2-ctl --list-devices` shows what is seen"
        return Check(name, "problem", f"{address}: there is no such camera", cure)
    text = f"{address}: {camera.name}"
    if camera.readable:
        return Check(name, "ok", text)
    return Check(
        name, "problem", f"{text}; {machine.user.name} may not open it", let_in(machine.user, camera.node, "video")
    )


def _is(camera: V4l2Camera, node: Path) -> bool:
    return os.path.realpath(node) == os.path.realpath(camera.node)


def _path(name: str, address: str, machine: Machine) -> Check:
    path = Path(address)
    shown = redact(address)
    if not os.path.exists(path):  # noqa: PTH110  this never raises
        above = path.parent
        cure = f"make it, mount its disk, or name another source; there is {'' if above.is_dir() else 'no '}{above}"
        return Check(name, "problem", f"{shown} is not there, or {machine.user.name} may not look", cure)
    folder = os.path.isdir(path)  # noqa: PTH112  as above
    if not os.access(path, os.R_OK | os.X_OK if folder else os.R_OK, effective_ids=True):
        cure = f"sudo setfacl -R -m u:{machine.user.name}:rX {path}\nor change its owner, group or mode"
        return Check(name, "problem", f"{shown}: {machine.user.name} may not read it", cure)
    if not folder:
        return Check(name, "ok", f"{shown}: a file that can be read")

    from edged.camera.folder import find_photos  # noqa: PLC0415  brings decoders in

    count = len(find_photos(path))
    if count:
        return Check(name, "ok", f"{shown}: a folder of {count} photo{'s' if count > 1 else ''}")
    return Check(name, "warning", f"{shown}: a folder without photos", "put photos in, or name another folder")


def _stream(name: str, address: str) -> Check:
    shown = redact(address)
    try:
        parts = StreamAddress.parse(address)
    except SourceError:
        return Check(name, "problem", f"{shown}: no host and port", "write it as rtsp://host:554/path")
    host, port = parts.host, parts.port
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SECONDS):
            return Check(name, "ok", f"{shown}: {host} answers at port {port}")
    except socket.gaierror:
        cure = "correct the name, or give the camera's IP address; names in .local need avahi-daemon"
        return Check(name, "problem", f"{shown}: the name {host} cannot be resolved", cure)
    except ConnectionRefusedError:
        cure = f"the camera is there and nothing listens: is its stream switched on, is {port} its port?"
        return Check(name, "problem", f"{shown}: {host} refuses connections at port {port}", cure)
    except TimeoutError:
        text = f"{shown}: {host} does not answer at port {port} within {CONNECT_SECONDS:g} s"
        return Check(name, "problem", text, f"is the camera on, and in the same network? Try `ping {host}`")
    except OSError as error:
        text = f"{shown}: {host} cannot be reached: {error.strerror or error}"
        return Check(name, "problem", text, f"is this machine in the camera's network? Try `ping {host}`")
