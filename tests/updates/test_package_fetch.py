"""Files on their way: resumed, taken from here, never half, never elsewhere, on disks that are full or read-only."""

from __future__ import annotations

import os
import resource
import shutil
import threading
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from faults.disk import fill, make_read_only, small_disk
from support import static_server as faults
from support.registry_device import Device
from support.signed_registry import FILES, Package, SignedRegistry

from edged.errors import CannotWriteError, RegistryUnavailableError, RegistryUntrustedError
from edged.updates.alone import alone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.static_server import Request, StaticServer

PACKAGE = Package()
MODEL = FILES["birds.tflite"]
PART = f".{sha256(MODEL).hexdigest()}"


@pytest.fixture
def offered(operator: SignedRegistry, device: Device) -> Device:
    operator.offer(PACKAGE)
    return device


def half(request: Request, data: bytes) -> None:
    """From the wanted byte on half of the rest, then the connection breaks."""
    wanted = request.headers["Range"]
    start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
    rest = data[start:]
    extent = f"bytes {start}-{len(data) - 1}/{len(data)}"
    given = rest[: max(1, len(rest) // 2)]
    request.answer(206 if wanted else 200, given, "application/octet-stream", length=len(rest), Content_Range=extent)


def test_download_goes_on_where_the_connection_broke(offered: Device, server: StaticServer) -> None:
    server.faults = {"birds.tflite": half}
    offered.take()
    assert offered.has(PACKAGE)
    asked = [status for path, status in server.requests if path.endswith("birds.tflite")]
    assert asked[0] == 200
    assert set(asked[1:]) == {206}


def test_download_goes_on_after_a_restart(offered: Device, server: StaticServer) -> None:
    server.faults = {"birds.tflite": faults.slow}
    with pytest.raises(RegistryUnavailableError):
        offered.take()
    part = next(path for path in offered.incoming.rglob(".*"))
    assert 0 < part.stat().st_size < len(MODEL)
    part.write_bytes(MODEL[:-1000])
    server.faults = {}
    server.traffic = 0
    offered.start()
    offered.take()
    assert offered.has(PACKAGE)
    assert server.traffic < len(MODEL) // 2


@pytest.mark.parametrize("left", [b"x" * 5000, MODEL + b"x", b"x" * len(MODEL), MODEL], ids=range(4))
def test_what_a_torn_write_left_does_not_get_in(offered: Device, left: bytes) -> None:
    folder = offered.incoming / PACKAGE.digest.removeprefix("sha256:")
    folder.mkdir(parents=True)
    for name in (PART, "birds.tflite"):
        (folder / name).write_bytes(left)
    offered.take()
    assert offered.has(PACKAGE)


def test_server_without_parts_of_files_gives_the_whole(offered: Device, server: StaticServer) -> None:
    server.validators = False
    folder = offered.incoming / PACKAGE.digest.removeprefix("sha256:")
    folder.mkdir(parents=True)
    (folder / PART).write_bytes(MODEL[:5000])
    offered.take()
    assert offered.has(PACKAGE)


def test_file_that_an_installed_package_has_is_not_fetched(
    operator: SignedRegistry, device: Device, server: StaticServer, tmp_path: Path
) -> None:
    operator.offer(PACKAGE)
    device.installed = [device.take().rename(tmp_path / "installed"), tmp_path / "none"]
    newer = Package(version="1.1.0", files={**FILES, "labels.txt": b"Wren\nEuropean robin\n"})
    operator.offer(newer)
    server.requests.clear()
    device.take()
    assert device.has(newer)
    assert not [path for path, _ in server.requests if path.endswith("birds.tflite")]
    assert (tmp_path / "installed/birds.tflite").stat().st_nlink == 1


@pytest.mark.parametrize("harm", ["other bytes", "shorter", "longer", "link", "gone", "pipe"])
def test_damaged_file_of_an_installed_package_is_fetched_after_all(
    operator: SignedRegistry, device: Device, tmp_path: Path, harm: str
) -> None:
    operator.offer(PACKAGE)
    installed = device.take().rename(tmp_path / "installed")
    device.installed = [installed]
    model = installed / "birds.tflite"
    model.unlink()
    if harm == "link":
        model.symlink_to("/dev/zero")
    elif harm == "pipe":
        os.mkfifo(model)
    elif harm != "gone":
        model.write_bytes({"other bytes": bytes(len(MODEL)), "shorter": MODEL[:-1], "longer": MODEL + b"x"}[harm])
    operator.offer(Package(version="1.1.0"))
    device.take()
    assert device.has(Package(version="1.1.0"))


def test_nothing_is_written_through_a_link(offered: Device, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    folder = offered.incoming / PACKAGE.digest.removeprefix("sha256:")
    folder.mkdir(parents=True)
    for name in ("birds.tflite", "labels.txt", "model.yaml", PART):
        (folder / name).symlink_to(victim)
    offered.take()
    assert offered.has(PACKAGE)
    shutil.rmtree(offered.incoming)
    offered.incoming.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    folder.symlink_to(outside)
    offered.take()
    assert offered.has(PACKAGE)
    assert victim.read_bytes() == b"precious"
    assert not list(outside.iterdir())


def test_packages_that_are_wanted_no_more_are_thrown_away(operator: SignedRegistry, offered: Device) -> None:
    offered.take()
    (offered.incoming / "rubbish").write_bytes(b"x")
    newer = Package(version="1.1.0")
    operator.offer(newer)
    offered.take()
    assert offered.has(newer)


def test_complete_package_is_not_fetched_again(offered: Device, server: StaticServer) -> None:
    offered.take()
    server.requests.clear()
    offered.take()
    assert [path for path, _ in server.requests] == ["metadata/timestamp.json"]


def test_cancelled_download_ends_at_once_and_goes_on_later(offered: Device, server: StaticServer) -> None:
    server.faults = {"birds.tflite": faults.slow}
    stop = threading.Event()
    offered.cancelled = stop.is_set
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(RegistryUnavailableError, match="stopped; what is there is kept"):
        offered.take()
    stop.clear()
    server.faults = {}
    offered.take()
    assert offered.has(PACKAGE)


def test_second_process_is_kept_out_while_one_is_at_work(offered: Device, server: StaticServer) -> None:
    with alone(offered.state / "metadata"), pytest.raises(RegistryUnavailableError, match="another edged is at work"):
        offered.poll()
    with alone(offered.incoming), pytest.raises(RegistryUnavailableError, match="another edged is at work"):
        offered.take()
    assert not [path for path, _ in server.requests if path.endswith("birds.tflite")]
    offered.take()
    assert offered.has(PACKAGE)


def test_wrong_file_leaves_nothing_behind(offered: Device, server: StaticServer) -> None:
    server.faults = {"birds.tflite": faults.flipped}
    with pytest.raises(RegistryUntrustedError):
        offered.take()
    assert {path.name for path in offered.incoming.rglob("*") if path.is_file()} == {"model.yaml"}


@pytest.fixture
def small(device: Device, tmp_path: Path) -> Iterator[Device]:
    """With 64 kB for all that it keeps."""
    with small_disk(tmp_path / "small") as disk:
        yield Device(device.url, device.root, disk)


def test_full_disk_is_said_and_survived(operator: SignedRegistry, small: Device) -> None:
    operator.offer(PACKAGE)
    with pytest.raises(CannotWriteError, match="No space left on device"):
        small.take()
    assert "birds.tflite" not in small.finished
    lighter = Package(version="1.1.0", files={**FILES, "birds.tflite": b"light" * 1000})
    operator.offer(lighter)
    small.take()
    assert small.has(lighter)


def test_disk_that_is_full_before_the_first_poll_is_said_and_survived(operator: SignedRegistry, small: Device) -> None:
    lighter = Package(files={**FILES, "birds.tflite": b"light" * 1000})
    operator.offer(lighter)
    fill(small.state.parent)
    with pytest.raises(CannotWriteError, match="No space left on device"):
        small.take()
    (small.state.parent / "filler").unlink()
    small.take()
    assert small.has(lighter)


def test_read_only_disk_is_said(operator: SignedRegistry, small: Device) -> None:
    operator.offer(PACKAGE)
    make_read_only(small.state.parent)
    with pytest.raises(CannotWriteError, match="Read-only file system"):
        small.poll()


def test_file_size_limit_is_an_error_and_no_end(operator: SignedRegistry, device: Device) -> None:
    """`LimitFSIZE` of a service: a write beyond it fails, as Python ignores the signal."""
    operator.offer(PACKAGE)
    device.poll()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(CannotWriteError, match="File too large"):
            device.take()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    device.take()
    assert device.has(PACKAGE)
