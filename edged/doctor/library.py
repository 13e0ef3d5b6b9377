"""libedgetpu: does it load, where is it from, and is it what it says? Tried in a child process, since it may crash."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edged.child import run_child
from edged.doctor.check import Check
from edged.engine.edgetpu import find_edge_tpus

if TYPE_CHECKING:
    from edged.doctor.machine import Machine

NAME: Final = "libedgetpu"
SECONDS: Final = 20.0
INSTALL: Final = (
    "sudo apt install libedgetpu1-std\n"
    "from Coral's package source (coral.ai/software) for tflite-runtime 2.5 and pycoral;\n"
    "for ai-edge-litert the community's build for current TensorFlow (github.com/feranick/libedgetpu, Releases)"
)
UNUSED: Final = "needed for an Edge TPU only"

# For any Python from 3.6 on. The path comes from what is mapped afterwards: the loader's own answer to where it looked.
_PROGRAM: Final = """
import ctypes, json, sys
name = sys.argv[1]
try:
    library = ctypes.CDLL(name)
except OSError as error:
    said = {"error": str(error)}
else:
    stem = name.rpartition("/")[2].partition(".so")[0]
    with open("/proc/self/maps") as maps:
        paths = [line.rstrip("\\n").partition("/")[2] for line in maps]
    path = next(("/" + path for path in paths if path.rpartition("/")[2].startswith(stem + ".so")), name)
    version = ""
    if hasattr(library, "edgetpu_version"):
        library.edgetpu_version.restype = ctypes.c_char_p
        version = (library.edgetpu_version() or b"").decode("utf-8", "replace")
    said = {"path": path, "version": version, "delegate": hasattr(library, "tflite_plugin_create_delegate")}
print("\\n" + json.dumps(said))
"""


@dataclass(frozen=True, slots=True)
class Library:
    """What a library said of itself once it was loaded."""

    path: str
    version: str
    delegate: bool


def look_at_library(machine: Machine) -> list[Check]:
    """Whether the configured library can be loaded."""
    name = machine.inference.edgetpu.library
    if machine.inference.device == "cpu":
        return [Check(NAME, "absent", "not looked at: inference.device is cpu")]
    needed = machine.edge_tpu_matters(find_edge_tpus(machine.root))
    library, error, cure = _load(name, str(machine.inference.python or sys.executable))
    if library is None:
        missing = error.startswith(f"{name}: cannot open shared object file")
        if missing and not needed:
            return [Check(NAME, "absent", f"{name} is not installed; {UNUSED}")]
        return [Check(NAME, "problem" if needed else "warning", error, cure)]
    if not library.delegate:
        text = f"{library.path} is loaded and is no TFLite delegate (it has no tflite_plugin_create_delegate)"
        return [Check(NAME, "problem" if needed else "warning", text, f"inference.edgetpu.library: {_RIGHT}")]
    version = library.version or "version not told"
    return [Check(NAME, "ok", f"{library.path} ({version})")]


_RIGHT: Final = "name libedgetpu.so.1, or the path of a libedgetpu"


def _load(name: str, python: str) -> tuple[Library | None, str, str]:
    """The library, or what is wrong and what to do."""
    ended = run_child([python, "-c", _PROGRAM, name], SECONDS)
    lines = ended.output.splitlines()
    if ended.fate is not None or not lines:
        if ended.fate is not None and ended.fate.startswith("cannot be started"):
            return None, f"not looked at: {python} {ended.fate}", "name an interpreter that works in inference.python"
        last = f"; its last words: {ended.words}" if ended.words else ""
        cure = f"it is broken, or made for another system: install it anew\n{INSTALL}"
        return None, f"a process that loads {name} {ended.fate or 'says nothing'}{last}", cure
    said = json.loads(lines[-1])
    if "error" in said:
        error = str(said["error"])
        return None, error, _cure(error, name)
    return Library(str(said["path"]), str(said["version"]), bool(said["delegate"])), "", ""


def _cure(error: str, name: str) -> str:
    missing = error.partition(":")[0]
    if "cannot open shared object file" in error and missing != name:
        if missing.startswith("libusb"):
            return "sudo apt install libusb-1.0-0"
        return f"install the package that {missing} is in (apt-file search {missing})"
    if "ELFCLASS" in error or "GLIBC" in error or "invalid ELF header" in error:
        return f"it is made for another system: take the build for this one\n{INSTALL}"
    if "/" in name:
        return f"inference.edgetpu.library: {_RIGHT}\n{INSTALL}"
    return INSTALL
