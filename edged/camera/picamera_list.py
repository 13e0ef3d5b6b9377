"""Which Raspberry Pi cameras there are, asked in a process of its own: libcamera may take its time, hang or crash."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import Final

TIMEOUT_SECONDS: Final = 10.0
KILLED_SECONDS: Final = 1.0

# libcamera alone, and not picamera2: it is ten times lighter and is there where picamera2 is missing. The numbers are
# picamera2's: by libcamera's id backwards, USB cameras last.
_PROGRAM: Final = """
import libcamera
cameras = {camera.id: camera for camera in libcamera.CameraManager.singleton().cameras}
for name in sorted(cameras, key=lambda name: ("/usb" not in name, name), reverse=True):
    models = [str(value) for key, value in cameras[name].properties.items() if key.name == "Model"]
    print(*(models or [name]))
"""


def list_picameras(timeout: float = TIMEOUT_SECONDS, program: str = _PROGRAM) -> tuple[str, ...]:
    """Models of the cameras that libcamera finds: the first is `picamera:0`. Empty when it cannot be asked.

    Never raises, and takes hardly longer than `timeout` seconds.
    """
    environment = {"LIBCAMERA_LOG_LEVELS": "*:FATAL", **os.environ}
    try:
        child = subprocess.Popen(
            [sys.executable, "-c", program],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            errors="replace",
        )
    except OSError:
        return ()
    try:
        said, _ = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        child.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it hangs in the kernel: left behind
            child.communicate(timeout=KILLED_SECONDS)
        return ()
    return tuple(said.splitlines()) if child.returncode == 0 else ()
