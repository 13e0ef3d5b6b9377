"""What expires signed again, and keys exchanged, while devices go on following."""

from __future__ import annotations

import json
import shutil
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from support.models import write_package
from support.registry import Device, new_registry
from tuf.api.exceptions import ExpiredMetadataError, RepositoryError

from edged.errors import PermissionDeniedError, RegistryError, UsageError
from edged.models.package import open_package
from edged.updates.initial import Quorum
from edged.updates.keys import Keys
from edged.updates.publish import Release, publish
from edged.updates.renew import refresh, rotate
from edged.updates.served import read_served

if TYPE_CHECKING:
    from pathlib import Path

DAY = 24 * 3600


def versions(folder: Path) -> dict[str, int]:
    """The version of each role that a device is led to."""
    metadata = folder / "models/metadata"
    timestamp = json.loads((metadata / "timestamp.json").read_bytes())["signed"]
    snapshot = timestamp["meta"]["snapshot.json"]["version"]
    signed = json.loads((metadata / f"{snapshot}.snapshot.json").read_bytes())["signed"]
    root = max(int(path.name.partition(".")[0]) for path in metadata.glob("*.root.json"))
    targets = signed["meta"]["targets.json"]["version"]
    return {"root": root, "targets": targets, "snapshot": snapshot, "timestamp": timestamp["version"]}


def keys(folder: Path) -> Keys:
    return Keys([folder / "keys"])


def test_fresh_registry_needs_no_renewal(tmp_path: Path) -> None:
    new_registry(tmp_path)
    assert refresh(tmp_path / "models", keys(tmp_path)) == ()
    assert versions(tmp_path) == {"root": 1, "targets": 1, "snapshot": 1, "timestamp": 1}


@pytest.mark.parametrize(
    ("role", "renewed"),
    [
        ("timestamp", {"timestamp"}),
        ("snapshot", {"snapshot", "timestamp"}),
        ("targets", {"targets", "snapshot", "timestamp"}),
        ("root", {"root"}),
    ],
)
def test_what_has_less_than_half_of_its_time_left_is_renewed(tmp_path: Path, role: str, renewed: set[str]) -> None:
    new_registry(tmp_path, lifetimes={role: 2})
    device = Device(tmp_path / "device", tmp_path / "models")
    time.sleep(1.1)
    done = refresh(tmp_path / "models", keys(tmp_path))
    assert [(renewal.role, renewal.renewed) for renewal in done] == [(role, True)]
    after = versions(tmp_path)
    assert {name for name, version in after.items() if version == 2} == renewed
    device.look()


def test_expired_registry_is_refused_by_devices_until_it_is_renewed(tmp_path: Path) -> None:
    new_registry(tmp_path, lifetimes={"timestamp": 1})
    root = (tmp_path / "models/root.json").read_bytes()
    time.sleep(1.1)
    with pytest.raises(ExpiredMetadataError):
        Device(tmp_path / "device", tmp_path / "models", root)
    refresh(tmp_path / "models", keys(tmp_path))
    Device(tmp_path / "device", tmp_path / "models", root)


def test_cron_needs_the_keys_of_snapshot_and_timestamp_alone(tmp_path: Path) -> None:
    new_registry(tmp_path, lifetimes={"snapshot": 2, "targets": 2})
    (tmp_path / "keys/root-1.pem").unlink()
    (tmp_path / "keys/targets.pem").unlink()
    time.sleep(1.6)
    done = {renewal.role: renewal for renewal in refresh(tmp_path / "models", keys(tmp_path))}
    assert done["snapshot"].renewed
    assert (done["targets"].renewed, done["targets"].late) == (False, True)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_rotated_key_signs_no_more_and_devices_follow(tmp_path: Path, role: str) -> None:
    new_registry(tmp_path)
    device = Device(tmp_path / "device", tmp_path / "models")
    shutil.copytree(tmp_path / "keys", tmp_path / "old")
    done = rotate(tmp_path / "models", keys(tmp_path), role)
    assert len(done.keys) == 1
    assert [path.name.partition(".retired")[0] for path in done.retired] == [
        "root-1.pem" if role == "root" else f"{role}.pem"
    ]
    device.look()
    assert len(json.loads((tmp_path / "models/root.json").read_bytes())["signed"]["keys"]) == 4
    names = {path.name for path in (tmp_path / "keys").glob("*.pem")}
    assert names == {"root-1.pem", "targets.pem", "snapshot.pem", "timestamp.pem"}
    package = write_package(tmp_path / "birds", name="birds")
    stolen = Keys([tmp_path / "old"])
    if role == "root":
        with pytest.raises(RegistryError, match="root: 0 of the 1 keys"):
            rotate(tmp_path / "models", stolen, "timestamp")
    else:
        with pytest.raises(RegistryError, match=f"{role}: 0 of the 1 keys"):
            publish(tmp_path / "models", stolen, package, Release(), open_package)
    publish(tmp_path / "models", keys(tmp_path), package, Release(), open_package)
    device.look()
    assert device.version("birds") == "1.0.0"


def test_device_that_was_off_follows_ten_rotations_of_the_root_and_some_of_the_others(tmp_path: Path) -> None:
    new_registry(tmp_path)
    device = Device(tmp_path / "device", tmp_path / "models")
    for _ in range(10):
        rotate(tmp_path / "models", keys(tmp_path), "root")
    rotate(tmp_path / "models", keys(tmp_path), "timestamp")
    rotate(tmp_path / "models", keys(tmp_path), "targets")
    assert versions(tmp_path)["root"] == 15
    device.look()
    Device(tmp_path / "new", tmp_path / "models")


@pytest.mark.parametrize("role", ["root", "timestamp"])
def test_how_long_things_hold_can_be_changed_with_a_key(tmp_path: Path, role: str) -> None:
    new_registry(tmp_path, lifetimes={"snapshot": 20 * DAY})
    rotate(tmp_path / "models", keys(tmp_path), role, wanted={"timestamp": 90 * DAY})
    publish(tmp_path / "models", keys(tmp_path), write_package(tmp_path / "p"), Release(), open_package)
    served = read_served(tmp_path / "models", None)
    left = {name: (served.role(name).expires - datetime.now(UTC)).total_seconds() / DAY for name in served.root.roles}
    assert {name: round(value) for name, value in left.items()} == {
        "root": 365,
        "targets": 365,
        "snapshot": 20,
        "timestamp": 90,
    }


def test_lost_key_is_exchanged_all_the_same(tmp_path: Path) -> None:
    new_registry(tmp_path)
    device = Device(tmp_path / "device", tmp_path / "models")
    for name in ("targets.pem", "snapshot.pem", "timestamp.pem"):
        (tmp_path / "keys" / name).unlink()
    with pytest.raises(RegistryError, match="snapshot: 0 of the 1 keys"):
        rotate(tmp_path / "models", keys(tmp_path), "targets")
    for role in ("timestamp", "snapshot", "targets"):
        assert rotate(tmp_path / "models", keys(tmp_path), role).retired == ()
        device.look()
    publish(tmp_path / "models", keys(tmp_path), write_package(tmp_path / "p"), Release(), open_package)


def test_quorum_of_root_keys_must_sign_and_one_lost_of_three_is_exchanged(tmp_path: Path) -> None:
    new_registry(tmp_path, Quorum(2, 3))
    device = Device(tmp_path / "device", tmp_path / "models")
    (tmp_path / "keys/root-3.pem").unlink()
    lost = json.loads((tmp_path / "models/root.json").read_bytes())["signed"]["roles"]["root"]["keyids"][2]
    with pytest.raises(UsageError, match="0 keys of the root role begin so"):
        rotate(tmp_path / "models", keys(tmp_path), "root", only=["xyz"])
    done = rotate(tmp_path / "models", keys(tmp_path), "root", only=[lost[:8]])
    assert len(done.keys) == 3
    assert lost not in done.keys
    device.look()
    (tmp_path / "aside").mkdir(mode=0o700)
    for number in (1, 2):
        (tmp_path / f"keys/root-{number}.pem").rename(tmp_path / f"aside/root-{number}.pem")
    with pytest.raises(RegistryError, match=r"root: 1 of the 2 keys that must sign are in .*--keys"):
        rotate(tmp_path / "models", keys(tmp_path), "timestamp")
    both = Keys([tmp_path / "keys", tmp_path / "aside"])
    rotate(tmp_path / "models", both, "root", quorum=Quorum(1, 2))
    root = json.loads((tmp_path / "models/root.json").read_bytes())["signed"]["roles"]["root"]
    assert (root["threshold"], len(root["keyids"])) == (1, 2)
    device.look()


def test_quorum_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be had"):
        Quorum(3, 2)
    new_registry(tmp_path)
    with pytest.raises(UsageError, match="for the root role"):
        rotate(tmp_path / "models", keys(tmp_path), "timestamp", quorum=Quorum(1, 2))


def test_root_signed_by_too_few_is_refused_by_devices_and_by_us(tmp_path: Path) -> None:
    new_registry(tmp_path, Quorum(2, 2))
    device = Device(tmp_path / "device", tmp_path / "models")
    rotate(tmp_path / "models", keys(tmp_path), "root")
    path = tmp_path / "models/metadata/2.root.json"
    tree = json.loads(path.read_bytes())
    tree["signatures"] = tree["signatures"][1:]
    path.write_text(json.dumps(tree))
    (tmp_path / "keys/root.json").unlink()
    with pytest.raises(RepositoryError, match="root was signed by 1/2"):
        device.look()
    with pytest.raises(RegistryError, match=r"2\.root\.json: not signed by the keys of root 1"):
        refresh(tmp_path / "models", keys(tmp_path))


def test_old_copy_of_a_registry_is_not_gone_on_with(tmp_path: Path) -> None:
    new_registry(tmp_path)
    shutil.copytree(tmp_path / "models", tmp_path / "copy")
    rotate(tmp_path / "models", keys(tmp_path), "root")
    with pytest.raises(RegistryError, match="this is an old copy of the registry"):
        refresh(tmp_path / "copy", keys(tmp_path))


def test_devices_that_saw_more_than_a_restored_copy_follow_again_after_new_keys(tmp_path: Path) -> None:
    new_registry(tmp_path)
    shutil.copytree(tmp_path / "models", tmp_path / "copy")
    for version in ("1.0.0", "1.1.0", "1.2.0"):
        package = write_package(tmp_path / version, name="birds", manifest={"version": version})
        publish(tmp_path / "models", keys(tmp_path), package, Release(), open_package)
    device = Device(tmp_path / "device", tmp_path / "models")
    shutil.rmtree(tmp_path / "models")
    (tmp_path / "copy").rename(tmp_path / "models")
    publish(tmp_path / "models", keys(tmp_path), write_package(tmp_path / "p"), Release(), open_package)
    with pytest.raises(RepositoryError):
        device.look()
    for role in ("snapshot", "timestamp", "targets"):
        rotate(tmp_path / "models", keys(tmp_path), role)
    device.look()
    assert set(device.channel().models) == {"tiny"}


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    new_registry(tmp_path)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    (tmp_path / "keys/targets.pem").chmod(0o640)
    with pytest.raises(PermissionDeniedError, match=r"chmod 600 .*targets\.pem"):
        keys(tmp_path)
    (tmp_path / "keys/targets.pem").chmod(0o600)
    (tmp_path / "keys").chmod(0o755)
    with pytest.raises(PermissionDeniedError, match="chmod 700 "):
        keys(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"-----BEGIN PRIVATE KEY-----\nxyz\n-----END PRIVATE KEY-----\n", b"\0" * 100])
def test_damaged_key_is_named_when_it_is_needed(tmp_path: Path, damage: bytes) -> None:
    new_registry(tmp_path)
    (tmp_path / "keys/snapshot.pem").write_bytes(damage)
    with pytest.raises(RegistryError, match=r"snapshot: 0 of the 1 keys .*snapshot\.pem"):
        publish(tmp_path / "models", keys(tmp_path), write_package(tmp_path / "p"), Release(), open_package)
