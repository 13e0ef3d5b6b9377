"""A GStreamer RTSP server for the tests. Runs in the system's own Python, which has GStreamer's bindings.

Usage: rtsp_server.py PORT FILE. The file is JSON: `user` and `password` (or null), and `mounts`, each with the launch
line of its pipeline, the folder of its compressed frames (0.bin, 1.bin …; they come again and again), their rate, and
after how many none come any more (or null). Prints `ready` once it listens. All viewers of a mount share one pipeline,
as they share a camera's encoder: a late one joins in the middle of a group of pictures.

`rtsp_server.py --check ELEMENT…` ends with an error where something that this needs is not installed.
"""

from __future__ import annotations

import importlib
import itertools
import json
import sys
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
ROLE = "viewer"
SOUND_MILLISECONDS = 100
SILENCE = b"\xff" * 800  # so much of mu-law sound, 8000 samples a second


def bindings() -> tuple[Any, Any, Any]:
    """Gst, GstRtspServer and GLib; they have no type information."""
    gi = importlib.import_module("gi")
    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    gst, rtsp, glib = (importlib.import_module(f"gi.repository.{name}") for name in ("Gst", "GstRtspServer", "GLib"))
    gst.init(None)
    return gst, rtsp, glib


class Mount:
    """Feeds a pipeline's `appsrc name=frames` with compressed frames from a folder, and its `sound` with silence."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._gst, rtsp, self._glib = bindings()
        frames = sorted(Path(settings["folder"]).glob("*.bin"), key=lambda path: int(path.stem))
        self._frames = [path.read_bytes() for path in frames]
        self._milliseconds = round(1000 / settings["rate"])
        self._last = settings["last"]
        self.factory = rtsp.RTSPMediaFactory()
        self.factory.set_launch(settings["launch"])
        self.factory.set_shared(True)
        self.factory.connect("media-configure", self._configure)

    def _configure(self, _: Any, media: Any) -> None:  # noqa: ANN401  no type information
        elements = media.get_element()
        self._feed(elements.get_by_name("frames"), self._milliseconds, self._frames, self._last)
        self._feed(elements.get_by_name("sound"), SOUND_MILLISECONDS, [SILENCE], None)

    def _feed(self, source: Any, milliseconds: int, frames: list[bytes], last: int | None) -> None:  # noqa: ANN401
        if source is None:
            return
        numbers = itertools.count()

        def push() -> bool:
            number = next(numbers)
            if last is not None and number >= last:
                return False
            taken = source.emit("push-buffer", self._gst.Buffer.new_wrapped(frames[number % len(frames)]))
            return bool(taken == self._gst.FlowReturn.OK)

        self._glib.timeout_add(milliseconds, push)


def check(elements: list[str]) -> None:
    """End with an error that says what is missing."""
    try:
        gst, _, _ = bindings()
    except (ImportError, ValueError) as error:
        sys.exit(f"no GStreamer with its RTSP server for Python: {error}")
    missing = [name for name in elements if gst.ElementFactory.find(name) is None]
    if missing:
        sys.exit(f"GStreamer has no {', '.join(missing)}")


def serve(port: str, settings: dict[str, Any]) -> None:
    """Serve until it is killed."""
    gst, rtsp, glib = bindings()
    server = rtsp.RTSPServer()
    server.set_address(HOST)
    server.set_service(port)
    role = gst.Structure.new_empty(ROLE)
    for permission in (rtsp.RTSP_PERM_MEDIA_FACTORY_ACCESS, rtsp.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT):
        role.set_value(permission, True)  # noqa: FBT003  the binding's own
    if settings["user"] is not None:
        auth = rtsp.RTSPAuth()
        token = rtsp.RTSPToken()
        token.set_string(rtsp.RTSP_TOKEN_MEDIA_FACTORY_ROLE, ROLE)
        auth.add_basic(rtsp.RTSPAuth.make_basic(settings["user"], settings["password"]), token)
        server.set_auth(auth)
    for path, mount_settings in settings["mounts"].items():
        mount = Mount(mount_settings)
        mount.factory.add_role_from_structure(role)
        server.get_mount_points().add_factory(path, mount.factory)
    if not server.attach(None):
        sys.exit(f"port {port} is taken")
    print("ready", flush=True)  # noqa: T201  for who started it
    glib.MainLoop().run()


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        check(sys.argv[2:])
    else:
        serve(sys.argv[1], json.loads(Path(sys.argv[2]).read_text("utf-8")))
