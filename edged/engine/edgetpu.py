"""Edge TPUs, as the kernel lists them in sysfs.

USB: 1a6e:089a (Global Unichip) before its firmware is loaded, 18d1:9302 (Google) after the first use: it then leaves
the bus and comes back. PCIe and M.2: the gasket/apex driver's /dev/apex_N, with a temperature in
/sys/class/apex/apex_N/temp; without that driver only the PCI device 1ac1:089a is seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

USB_IDS: Final = {("1a6e", "089a"), ("18d1", "9302")}
PCI_ID: Final = ("0x1ac1", "0x089a")
ROOT: Final = Path("/")


@dataclass(frozen=True, slots=True)
class EdgeTpu:
    """One device.

    Attributes:
        kind: how it is attached.
        name: the kernel's name: `1-1.2` (a USB port) or `apex_0`.
        usb_id: `1a6e:089a` or `18d1:9302`; None for PCIe.
        node: what a process opens: `/dev/bus/usb/001/004` or `/dev/apex_0`. A USB device that leaves and comes back
            gets another one.
        temperature_c: in degrees Celsius, where the device tells.
    """

    kind: Literal["usb", "pcie"]
    name: str
    usb_id: str | None
    node: Path
    temperature_c: float | None = None


def hottest_edge_tpu_c(root: Path = ROOT) -> float | None:
    """The temperature of the hottest Edge TPU, in degrees Celsius; None where none tells, as those on USB never do.

    Cheaper than `find_edge_tpus`: it looks at no USB device.
    """
    return max((tpu.temperature_c for tpu in _pcie(root) if tpu.temperature_c is not None), default=None)


def pci_edge_tpus(root: Path = ROOT) -> tuple[str, ...]:
    """The PCI addresses of all Edge TPUs in PCIe or M.2, whether or not their driver is there."""
    folders = _entries(root / "sys/bus/pci/devices")
    return tuple(each.name for each in folders if (_text(each / "vendor"), _text(each / "device")) == PCI_ID)


def find_edge_tpus(root: Path = ROOT) -> tuple[EdgeTpu, ...]:
    """All that are attached now, in the order of their names. `root` is where /sys and /dev begin.

    Reads a few small files; what vanishes meanwhile is left out.
    """
    return (*_usb(root), *_pcie(root))


def _usb(root: Path) -> list[EdgeTpu]:
    found = []
    for folder in _entries(root / "sys/bus/usb/devices"):
        vendor, product = _text(folder / "idVendor"), _text(folder / "idProduct")
        bus, number = _text(folder / "busnum"), _text(folder / "devnum")
        if (vendor, product) in USB_IDS and bus.isdecimal() and number.isdecimal():
            node = root / f"dev/bus/usb/{int(bus):03d}/{int(number):03d}"
            found.append(EdgeTpu("usb", folder.name, f"{vendor}:{product}", node))
    return found


def _pcie(root: Path) -> list[EdgeTpu]:
    found = []
    for folder in _entries(root / "sys/class/apex"):
        node = root / "dev" / folder.name
        if node.exists():
            found.append(EdgeTpu("pcie", folder.name, None, node, _degrees(folder / "temp")))
    return found


def _degrees(path: Path) -> float | None:
    try:
        return int(_text(path)) / 1000
    except ValueError:  # no such file, or its driver is just being loaded
        return None


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii", "replace").strip()
    except OSError:
        return ""
