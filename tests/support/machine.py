"""A machine in a folder: the parts of /sys, /dev and /proc that edged looks at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edged.config import InferenceConfig
from edged.doctor.machine import Machine, User

if TYPE_CHECKING:
    from pathlib import Path

USER = User("porch", frozenset({"porch"}), frozenset({"porch"}))


class Tree:
    """A machine of which everything is a file in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.machine = Machine(root=root, user=USER, may_open=lambda _: True, state=root / "state")

    def put(self, path: str, text: str = "") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n" if text else "")
        return file

    def usb(self, usb_id: str = "18d1:9302", *, port: str = "1-1.2", number: int = 4, speed: str = "5000") -> Path:
        """Attach an Edge TPU over USB. Gives its node."""
        vendor, product = usb_id.split(":")
        facts = {"idVendor": vendor, "idProduct": product, "busnum": "1", "devnum": str(number), "speed": speed}
        for name, text in facts.items():
            self.put(f"sys/bus/usb/devices/{port}/{name}", text)
        return self.put(f"dev/bus/usb/001/{number:03d}")

    def apex(self, thousandths: str = "45600") -> Path:
        """Attach an Edge TPU over PCIe. Gives its node."""
        self.pci()
        self.put("sys/class/apex/apex_0/temp", thousandths)
        return self.put("dev/apex_0")

    def pci(self) -> None:
        """Put one on the PCI bus, without its driver."""
        self.put("sys/bus/pci/devices/0000:01:00.0/vendor", "0x1ac1")
        self.put("sys/bus/pci/devices/0000:01:00.0/device", "0x089a")

    def with_inference(self, **given: object) -> Machine:
        """The machine with other values under `inference:`."""
        return replace(self.machine, inference=InferenceConfig.model_validate(given))

    def with_library(self, library: Path | str, **given: object) -> Machine:
        """The machine with another library for the Edge TPU."""
        return self.with_inference(edgetpu={"library": str(library)}, **given)
