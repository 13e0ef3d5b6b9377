"""Edge TPUs in trees such as kernels show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edged.engine.edgetpu import EdgeTpu, find_edge_tpus, hottest_edge_tpu_c, pci_edge_tpus

if TYPE_CHECKING:
    from pathlib import Path


def put(root: Path, path: str, text: str = "") -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"{text}\n")


def usb(root: Path, port: str, vendor: str, product: str) -> None:
    for name, text in (("idVendor", vendor), ("idProduct", product), ("busnum", "1"), ("devnum", "4")):
        put(root, f"sys/bus/usb/devices/{port}/{name}", text)


def apex(root: Path, number: int, thousandths: str = "45600") -> None:
    put(root, f"sys/class/apex/apex_{number}/temp", thousandths)
    put(root, f"dev/apex_{number}")


def test_machine_without_any(tmp_path: Path) -> None:
    usb(tmp_path, "1-1", "1d6b", "0002")
    put(tmp_path, "sys/bus/usb/devices/1-0:1.0/bInterfaceClass", "09")  # an interface: it has no ids
    assert find_edge_tpus(tmp_path) == ()
    assert hottest_edge_tpu_c(tmp_path) is None
    assert pci_edge_tpus(tmp_path) == ()


@pytest.mark.parametrize(("vendor", "product"), [("1a6e", "089a"), ("18d1", "9302")])
def test_usb_device_before_and_after_its_first_use(tmp_path: Path, vendor: str, product: str) -> None:
    usb(tmp_path, "1-1.2", vendor, product)
    node = tmp_path / "dev/bus/usb/001/004"
    assert find_edge_tpus(tmp_path) == (EdgeTpu("usb", "1-1.2", f"{vendor}:{product}", node),)


def test_pcie_device_with_its_temperature(tmp_path: Path) -> None:
    apex(tmp_path, 0)
    assert find_edge_tpus(tmp_path) == (EdgeTpu("pcie", "apex_0", None, tmp_path / "dev/apex_0", 45.6),)
    apex(tmp_path, 1, "52100")
    assert hottest_edge_tpu_c(tmp_path) == 52.1


@pytest.mark.parametrize("text", ["", "rubbish", "--5"])
def test_temperature_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    apex(tmp_path, 0, text)
    assert find_edge_tpus(tmp_path)[0].temperature_c is None
    assert hottest_edge_tpu_c(tmp_path) is None


def test_apex_without_its_node_is_not_there(tmp_path: Path) -> None:
    put(tmp_path, "sys/class/apex/apex_0/temp", "45600")
    assert find_edge_tpus(tmp_path) == ()


def test_half_of_a_usb_device_that_is_just_leaving_is_not_there(tmp_path: Path) -> None:
    put(tmp_path, "sys/bus/usb/devices/1-1/idVendor", "18d1")
    put(tmp_path, "sys/bus/usb/devices/1-1/idProduct", "9302")
    assert find_edge_tpus(tmp_path) == ()


def test_pci_device_is_seen_without_its_driver(tmp_path: Path) -> None:
    put(tmp_path, "sys/bus/pci/devices/0000:01:00.0/vendor", "0x1ac1")
    put(tmp_path, "sys/bus/pci/devices/0000:01:00.0/device", "0x089a")
    put(tmp_path, "sys/bus/pci/devices/0000:00:00.0/vendor", "0x14e4")
    assert pci_edge_tpus(tmp_path) == ("0000:01:00.0",)
