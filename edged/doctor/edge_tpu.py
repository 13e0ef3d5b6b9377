"""Edge TPUs: attached, with a driver, and open to this user?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edged.doctor.check import Check
from edged.doctor.permission import let_in
from edged.engine.edgetpu import USB_IDS, find_edge_tpus, pci_edge_tpus

if TYPE_CHECKING:
    from edged.doctor.machine import Machine
    from edged.engine.edgetpu import EdgeTpu

NAME: Final = "edge tpu"
UNUSED_ID: Final = "1a6e:089a"
USB_2_MBITS: Final = 480
PLUG: Final = (
    "unplug it and plug it in again, with its own cable, into a blue port (USB 3); it draws up to 900 mA, so the power"
    " supply matters.\n`lsusb` should show 1a6e:089a or 18d1:9302; over PCIe, `lspci -nn` shows 1ac1:089a"
)
_RELOAD: Final = "sudo udevadm control --reload && sudo udevadm trigger"
# Both ids, since the device changes its id at its first use.
_USB_RULE: Final = """'SUBSYSTEM=="usb", ATTR{idVendor}=="%s", ATTR{idProduct}=="%s", GROUP="plugdev", MODE="0660"'"""
USB_RULES: Final = (
    f"printf '%s\\n' {' '.join(_USB_RULE % ids for ids in sorted(USB_IDS))}"
    f" | sudo tee /etc/udev/rules.d/60-edgetpu.rules\n{_RELOAD}"
)
APEX_RULES: Final = (
    "sudo groupadd -f apex\n"
    """echo 'SUBSYSTEM=="apex", MODE="0660", GROUP="apex"' | sudo tee /etc/udev/rules.d/65-apex.rules\n""" + _RELOAD
)


def look_at_edge_tpus(machine: Machine) -> list[Check]:
    """Each one that is attached, or that there is none."""
    attached = find_edge_tpus(machine.root)
    checks = [_one(tpu, machine, many=len(attached) > 1) for tpu in attached]
    driven = sum(tpu.kind == "pcie" for tpu in attached)
    addresses = pci_edge_tpus(machine.root)
    if len(addresses) > driven:
        text = f"on the PCI bus ({', '.join(addresses)}), and its driver gives no /dev/apex_0"
        cure = "sudo apt install gasket-dkms\nfrom Coral's package source (coral.ai/docs/m2/get-started), then reboot"
        checks.append(Check(NAME, "warning" if machine.inference.device == "cpu" else "problem", text, cure))
    if not checks and machine.inference.device == "edgetpu":
        return [Check(NAME, "problem", "none is attached, and inference.device is edgetpu", PLUG)]
    if not checks:
        return [Check(NAME, "absent", "none is attached: the CPU infers")]
    if len(attached) > 1:
        wanted = machine.inference.edgetpu.device or "the first one that libedgetpu finds"
        text = f"{len(attached)} are attached; edged uses one of them: {wanted} (inference.edgetpu.device)"
        checks.append(Check(NAME, "ok", text))
    return checks


def _one(tpu: EdgeTpu, machine: Machine, *, many: bool) -> Check:
    name = f"{NAME} {tpu.name}" if many else NAME
    if not tpu.node.exists():
        text = f"{tpu.name} is attached, and there is no {tpu.node}"
        return Check(name, "problem", text, "in a container, give it the device: --device /dev/bus/usb")
    text = _usb(tpu, machine) if tpu.kind == "usb" else f"PCIe, {tpu.node}"
    if tpu.temperature_c is not None:
        text += f", {tpu.temperature_c:.0f} °C"
    unused = machine.inference.device == "cpu"
    if not machine.may_open(tpu.node):
        group, rules = ("plugdev", USB_RULES) if tpu.kind == "usb" else ("apex", APEX_RULES)
        cure = let_in(machine.user, tpu.node, group, rules)
        return Check(name, "warning" if unused else "problem", f"{text}; {machine.user.name} may not open it", cure)
    return Check(name, "ok", f"{text}; not used, as inference.device is cpu" if unused else text)


def _usb(tpu: EdgeTpu, machine: Machine) -> str:
    text = f"USB {tpu.name}, {tpu.node}, {tpu.usb_id}"
    if tpu.usb_id == UNUSED_ID:
        text += " (not used since it was plugged in: at its first use it comes back as 18d1:9302)"
    try:
        speed = int((machine.root / "sys/bus/usb/devices" / tpu.name / "speed").read_text("ascii"))
    except (OSError, ValueError):
        return text
    return f"{text}, at USB 2 speed (a USB 3 port and cable are faster)" if speed <= USB_2_MBITS else text
