"""A device and a registry that signs, over a real web server: what is offered, fetched, asked for and kept."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.registry_device import Device
from support.signed_registry import Package, SignedRegistry, later

from edged.errors import RegistryUnavailableError, RegistryUntrustedError
from edged.labeling.label import ModelRef
from edged.updates.clock import BUILT
from edged.updates.fetcher import Patience

if TYPE_CHECKING:
    from pathlib import Path

    from support.static_server import StaticServer

OLD, NEW = Package(version="1.0.0"), Package(version="1.1.0")


def have(device: Device, package: Package) -> None:
    ref = ModelRef(package.name, package.version, package.digest)
    device.asking = replace(device.asking, installed=ref)


def test_package_is_offered_and_fetched(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD, notes="First birds")
    poll = device.poll()
    assert poll.changed
    assert poll.update is not None
    assert (poll.update.ref, poll.update.notes) == (ModelRef("birds", "1.0.0", OLD.digest), "First birds")
    device.take()
    assert device.has(OLD)
    assert device.told == sorted(device.told)
    assert all(there <= of == poll.update.size for there, of in device.told)


def test_newer_version_is_offered_once_it_is_published(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    have(device, OLD)
    assert device.poll().reason == "birds 1.0.0 is installed"
    operator.offer(NEW)
    poll = device.poll()
    assert poll.changed
    assert poll.update is not None
    assert poll.update.ref.version == "1.1.0"


@pytest.mark.parametrize("validators", [True, False])
def test_idle_poll_is_one_request_of_less_than_two_kilobytes(
    operator: SignedRegistry, device: Device, server: StaticServer, *, validators: bool
) -> None:
    operator.offer(OLD)
    server.validators = validators
    first = device.poll()
    server.requests.clear()
    server.traffic = 0
    again = device.poll()
    assert (again, again.changed) == (replace(first, changed=False), False)
    assert server.requests == [("metadata/timestamp.json", 304 if validators else 200)]
    assert 0 < server.traffic < 2048


def test_idle_polls_write_nothing(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    device.poll()

    def written() -> dict[Path, int]:
        return {path: path.lstat().st_mtime_ns for path in device.state.rglob("*")}

    before = written()
    device.poll()
    assert written() == before


def test_renewed_timestamp_leaves_the_offer_as_it_is(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    first = device.poll()
    operator.renew(later(14))
    assert device.poll() == first


def test_restarted_device_goes_on_from_what_it_trusted(
    operator: SignedRegistry, device: Device, server: StaticServer
) -> None:
    operator.offer(OLD)
    device.poll()
    device.start()
    server.requests.clear()
    assert device.poll().update is not None
    assert not [path for path, _ in server.requests if "snapshot" in path or "targets.json" in path]


def test_channel_that_the_registry_lacks_is_named(operator: SignedRegistry, device: Device) -> None:
    operator.put_channel({}, "canary")
    operator.publish()
    assert device.poll().reason == "the registry has no channel stable"


def test_refused_digest_is_not_offered_again(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    assert device.poll().update is not None
    device.asking = replace(device.asking, refused={OLD.digest: "it hangs"})
    poll = device.poll()
    assert poll.update is None
    assert "is refused on this device: it hangs" in poll.reason


def test_revocation_is_said_with_its_reason(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    have(device, OLD)
    device.poll()
    operator.revoke(OLD, "takes wrens for robins")
    operator.publish()
    revoked = device.poll().revocations.of_digest(OLD.digest)
    assert revoked is not None
    assert revoked.why == "takes wrens for robins"


@pytest.mark.parametrize("times", [1, 10])
def test_root_rotated_while_the_device_was_off(operator: SignedRegistry, device: Device, times: int) -> None:
    operator.offer(OLD)
    device.poll()
    for _ in range(times):
        operator.rotate_root()
    operator.offer(NEW)
    device.start()
    device.take()
    assert device.has(NEW)
    device.start()
    assert device.poll().update is not None


def test_registry_in_a_folder(operator: SignedRegistry, tmp_path: Path) -> None:
    stick = tmp_path / "USB stick"
    operator.offer(Package(version="1.0.0+edge"))
    shutil.copytree(operator.folder, stick)
    from_stick = Device(f"file://{str(stick).replace(' ', '%20')}", operator.folder / "root.json", tmp_path)
    from_stick.take()
    assert from_stick.has(Package(version="1.0.0+edge"))
    assert not from_stick.poll().changed
    shutil.rmtree(stick)
    with pytest.raises(RegistryUnavailableError, match="the folder is not there"):
        from_stick.poll()


def test_version_with_a_plus_is_fetched_over_http(
    operator: SignedRegistry, device: Device, server: StaticServer
) -> None:
    operator.offer(Package(version="1.0.0+edge"))
    device.take()
    assert any("%2B" in path for path, _ in server.requests)


@pytest.mark.parametrize("harm", ["torn", "emptied", "folder", "pipe", "history", "gone", "file", "dangling"])
def test_damaged_metadata_is_built_again_from_the_pinned_root(
    operator: SignedRegistry, device: Device, harm: str
) -> None:
    operator.offer(OLD)
    device.poll()
    metadata = device.state / "metadata"
    for name in ("timestamp.json", "snapshot.json", "targets.json"):
        path = metadata / name
        data = path.read_bytes()
        path.unlink()
        if harm == "torn":
            path.write_bytes(data[: len(data) // 2])
        elif harm == "emptied":
            path.touch()
        elif harm == "folder":
            path.mkdir()
        elif harm == "pipe":
            os.mkfifo(path)
        elif harm == "dangling":
            path.symlink_to("/dev/zero")
    if harm == "history":
        shutil.rmtree(metadata / "root_history")
        (metadata / "root_history").touch()
    if harm in {"gone", "file"}:
        shutil.rmtree(metadata)
        if harm == "file":
            metadata.touch()
    device.start()
    assert device.poll().update is not None
    assert (metadata / "timestamp.json").is_file()
    device.start()
    assert device.poll().update is not None


def test_what_a_power_cut_left_of_a_write_is_cleaned_away(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    device.poll()
    (device.state / "metadata/tmp0123abc").write_bytes(b"{")
    device.start()
    device.poll()
    assert not (device.state / "metadata/tmp0123abc").exists()


def test_nothing_is_asked_while_the_clock_is_not_set(
    operator: SignedRegistry, device: Device, server: StaticServer
) -> None:
    operator.offer(OLD)
    device.state.mkdir(parents=True)
    (device.state / "last-known-time").write_text(later(3 * 365).isoformat())
    device.start()
    poll = device.poll()
    assert poll.update is None
    assert poll.reason.startswith("the clock is not set: it says ")
    assert server.requests == []


def test_valid_metadata_raises_the_last_known_time(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    device.poll()
    assert (device.state / "last-known-time").read_text() > BUILT.isoformat()


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_clock_years_ahead_finds_all_expired_and_recovers(operator: SignedRegistry, device: Device, role: str) -> None:
    """For a device it is the same whether its clock is ahead or the metadata is old."""
    operator.put_package(OLD)
    operator.put_channel({"birds": {"version": "1.0.0"}})
    operator.publish(**{role: later(-2000)})
    with pytest.raises(RegistryUntrustedError, match=r"expired.*or this machine's clock is wrong"):
        device.poll()
    assert not (device.state / "last-known-time").exists()
    operator.publish()
    assert device.poll().update is not None


def test_polls_of_many_threads_share_nothing(operator: SignedRegistry, device: Device, tmp_path: Path) -> None:
    """Devices on one machine, as in the figure of a thousand."""
    operator.offer(OLD)
    devices = [Device(device.url, device.root, tmp_path / str(number), Patience()) for number in range(8)]
    threads = [threading.Thread(target=one.take) for one in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one.has(OLD) for one in devices)
