"""Attacks on what is signed: refused with the reason, nothing is taken, and the mended registry is picked up."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import random
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from securesystemslib.signer import CryptoSigner
from support.registry_device import Device
from support.signed_registry import FILES, Package, SignedRegistry, later
from tuf.api.metadata import Metadata, TargetFile

from edged.errors import EdgedError, ModelError, RegistryError, RegistryUnavailableError, RegistryUntrustedError
from edged.labeling.label import ModelRef

if TYPE_CHECKING:
    from pathlib import Path


OLD, NEW, NEWEST = Package(version="1.0.0"), Package(version="1.1.0"), Package(version="1.2.0")


@pytest.fixture
def trusting(operator: SignedRegistry, device: Device) -> Device:
    """A device that has seen the first state."""
    operator.offer(OLD)
    assert device.poll().update is not None
    return device


def refused(device: Device, kind: type[EdgedError], words: str) -> None:
    """Twice, and after a restart: no attack gets in by being repeated."""
    for restart in (False, False, True):
        if restart:
            device.start()
        with pytest.raises(kind, match=words):
            device.take()
        assert "birds.tflite" not in device.finished


def mended(operator: SignedRegistry, device: Device, package: Package = NEWEST) -> None:
    operator.offer(package)
    device.take()
    assert device.has(package)


@pytest.mark.parametrize("name", ["timestamp", "2.snapshot", "2.targets"])
def test_unsigned_metadata_is_refused(operator: SignedRegistry, trusting: Device, name: str) -> None:
    operator.offer(NEW)
    path = operator.folder / f"metadata/{name}.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "signatures": []}))
    refused(trusting, RegistryUntrustedError, "not signed by" if name == "timestamp" else "damaged, or a mixture")
    mended(operator, trusting)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_metadata_signed_by_another_key_is_refused(operator: SignedRegistry, trusting: Device, role: str) -> None:
    right = operator.keys[role]
    operator.keys[role] = [CryptoSigner.generate_ed25519()]
    operator.offer(NEW)
    refused(trusting, RegistryUntrustedError, "not signed by")
    operator.keys[role] = right
    mended(operator, trusting)


@pytest.mark.parametrize("role", ["timestamp", "snapshot", "targets"])
def test_too_few_signatures_are_refused(tmp_path: Path, device: Device, role: str) -> None:
    operator = SignedRegistry(tmp_path / "of two", threshold=2)
    device = Device(f"file://{tmp_path}/of%20two", operator.folder / "root.json", tmp_path)
    both = operator.keys[role]
    operator.keys[role] = [both[0], both[0]]
    operator.offer(NEW)
    refused(device, RegistryUntrustedError, r"not signed by.*1/2")
    operator.keys[role] = both
    mended(operator, device)


def test_root_that_its_predecessor_has_not_signed_is_refused(
    operator: SignedRegistry, trusting: Device, tmp_path: Path
) -> None:
    thief = SignedRegistry(tmp_path / "thief")
    thief.rotate_root()
    thief.offer(NEW)
    stolen = operator.folder / "metadata/2.root.json"
    shutil.copy(thief.folder / "metadata/2.root.json", stolen)
    operator.renew(later(7))  # while nothing is new, the root is not looked at
    refused(trusting, RegistryUntrustedError, "not signed by")
    stolen.unlink()
    mended(operator, trusting)


def test_registry_of_somebody_else_is_refused(operator: SignedRegistry, trusting: Device, tmp_path: Path) -> None:
    thief = SignedRegistry(tmp_path / "thief")
    thief.offer(NEW)
    good = operator.folder.rename(tmp_path / "good")
    shutil.copytree(thief.folder, operator.folder)
    shutil.copy(good / "root.json", operator.folder)  # the device's own, pinned
    refused(trusting, RegistryUntrustedError, "not signed by")
    shutil.rmtree(operator.folder)
    good.rename(operator.folder)
    mended(operator, trusting)


def test_older_state_replayed_is_refused(operator: SignedRegistry, trusting: Device, tmp_path: Path) -> None:
    past = shutil.copytree(operator.folder, tmp_path / "past")
    operator.offer(NEW)
    trusting.take()
    present = operator.folder.rename(tmp_path / "present")
    past.rename(operator.folder)
    with pytest.raises(RegistryUntrustedError, match="an older state than one seen before"):
        trusting.poll()
    trusting.start()
    with pytest.raises(RegistryUntrustedError, match="an older state than one seen before"):
        trusting.poll()
    shutil.rmtree(operator.folder)
    present.rename(operator.folder)
    assert trusting.poll().update is not None
    mended(operator, trusting)


def test_lower_version_in_a_newer_state_is_not_offered(operator: SignedRegistry, device: Device) -> None:
    """Even its operator cannot take a device back to an older model by mistake."""
    operator.offer(NEW)
    folder = device.take()
    assert folder.name == NEW.digest.removeprefix("sha256:")
    device.asking = replace(device.asking, installed=ModelRef("birds", "1.1.0", NEW.digest))
    operator.offer(OLD)
    assert device.poll().reason == "birds 1.0.0 is older than 1.1.0, which is installed"


def test_freeze_is_noticed_when_the_old_state_expires(operator: SignedRegistry, device: Device) -> None:
    """Somebody shows the same state for ever, and says that nothing has changed."""
    operator.put_package(OLD)
    operator.put_channel({"birds": {"version": "1.0.0"}})
    operator.publish(timestamp=later(2 / 86400))
    assert device.poll().update is not None
    assert not device.poll().changed
    time.sleep(2.1)
    refused(device, RegistryUntrustedError, "timestamp.json is expired; an old state is shown again and again")
    mended(operator, device)


def test_mixture_of_two_states_is_refused(operator: SignedRegistry, trusting: Device) -> None:
    metadata = operator.folder / "metadata"
    operator.offer(NEW)
    right = (metadata / "2.targets.json").read_bytes()
    shutil.copy(metadata / "1.targets.json", metadata / "2.targets.json")
    refused(trusting, RegistryUntrustedError, "damaged, or a mixture of two states")
    (metadata / "2.targets.json").write_bytes(right)
    shutil.copy(metadata / "1.snapshot.json", metadata / "2.snapshot.json")
    trusting.start()
    trusting.poll()  # the right snapshot has been kept
    shutil.rmtree(trusting.state / "metadata")
    trusting.start()
    refused(trusting, RegistryUntrustedError, "damaged, or a mixture of two states")
    mended(operator, trusting)


def test_snapshot_older_than_the_timestamp_says_is_refused(operator: SignedRegistry, trusting: Device) -> None:
    """The timestamp's key alone is stolen: what it signs cannot go back behind what has been seen."""
    operator.offer(NEW)
    trusting.poll()
    operator.versions = 1
    operator.snapshot = (operator.folder / "metadata/1.snapshot.json").read_bytes()
    operator.renew(later(7))
    refused(trusting, RegistryUntrustedError, "an older state than one seen before, or a mixture")
    operator.versions = 2
    mended(operator, trusting)


@pytest.mark.parametrize("path", ["models/birds/1.1.0/birds.tflite", "models/birds/1.1.0/model.yaml"])
def test_file_under_anothers_name_is_refused(operator: SignedRegistry, trusting: Device, path: str) -> None:
    operator.offer(Package(version="1.1.0", files={**FILES, "birds.tflite": b"new" * 999}))
    old = operator.place(path.replace("1.1.0", "1.0.0"))
    shutil.copy(old, operator.place(path))
    refused(trusting, RegistryUntrustedError, "damaged, or another file under its name|more than")
    mended(operator, trusting)


ROUNDS = 4


def test_every_flipped_bit_is_found_or_harmless(operator: SignedRegistry, tmp_path: Path) -> None:
    """One bit in every file in turn, at places drawn anew, from a device's first poll to its package."""
    operator.offer(OLD)
    draw = random.Random(5)  # noqa: S311  nothing secret
    outcomes = {"found": 0, "harmless": 0}
    files = [path for path in sorted(operator.folder.rglob("*")) if path.is_file()]
    for number in range(ROUNDS * len(files)):
        path = files[number % len(files)]
        right = path.read_bytes()
        wrong = bytearray(right)
        wrong[draw.randrange(len(right))] ^= 1 << draw.randrange(8)
        if path.name == "root.json":
            continue  # the device's own
        path.write_bytes(wrong)
        victim = Device(f"file://{operator.folder}", operator.folder / "root.json", tmp_path / str(number))
        try:
            victim.take()
        except (RegistryError, RegistryUnavailableError, ModelError):
            outcomes["found"] += 1
        else:
            outcomes["harmless"] += 1
            # the one is pinned here; in the other, hexadecimal digits may be large or small
            assert path.name in {"1.root.json", "timestamp.json"}
            assert victim.has(OLD)
        path.write_bytes(right)
        victim.take()
        assert victim.has(OLD)
    assert outcomes["found"] >= ROUNDS * (len(files) - 3)
    assert outcomes["harmless"] >= ROUNDS


DEEP = b'{"a":' * 3000 + b"1" + b"}" * 3000
BOMBS = {
    "deep": DEEP,
    "deep list": b"[" * 15000,
    "wide": b'{"signed":{},"signatures":[' + b"{}," * 5000 + b"{}]}",
    "digits": b'{"signed":' + b"9" * 15000 + b"}",
    "exponent": b'{"signed":{"version":1e999999},"signatures":[]}',
    "same keys": b'{"signed":{' + b'"a":1,' * 2000 + b'"a":1},"signatures":[]}',
    "not a number": b'{"signed":NaN,"signatures":[]}',
    "no text": b"\xff\xfe\x00\x01",
    "empty": b"",
    "null": b"null",
    "zip": b"PK\x03\x04" + bytes(1000),
    "gzip": b"\x1f\x8b\x08" + bytes(1000),
    "lone surrogate": b'{"signed":{"_type":"\\ud800"},"signatures":[{"keyid":"\\ud800","sig":"00"}]}',
    "large": b" " * 20_000,
}


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json", "2.root.json"])
def test_bombs_in_metadata_are_refused(operator: SignedRegistry, trusting: Device, name: str) -> None:
    operator.offer(NEW)
    path = operator.folder / "metadata" / name
    words = "not a registry's signed metadata|mixture of two|more than|not signed by"
    for kind, bomb in BOMBS.items():
        path.write_bytes(bomb)
        began = time.monotonic()
        with pytest.raises(RegistryUntrustedError, match=words):
            pytest.fail(f"{kind}: {trusting.poll()}")
        assert time.monotonic() - began < 3
    path.unlink()
    mended(operator, trusting)


ODD = (
    "null",
    "true",
    "-1",
    "1.5",
    "9" * 400,
    '""',
    '"x"',
    '"\\ud800"',
    '"../.."',
    "[]",
    "[[]]",
    "{}",
    '{"": {"a": 1.5}}',
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_odd_values_in_metadata_raise_nothing_foreign(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    operator = _published(tmp_path_factory)
    name = data.draw(st.sampled_from(["timestamp.json", "2.root.json"]))
    source = operator.folder / "metadata" / name.replace("2.root", "1.root")
    tree = json.loads(source.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        node = tree
        while isinstance(node, (dict, list)) and node:
            key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            if data.draw(st.booleans()) or not isinstance(node[key], (dict, list)):
                node[key] = json.loads(data.draw(st.sampled_from(ODD)))
                break
            node = node[key]
    path = operator.folder / "metadata" / name
    right = path.read_bytes() if path.exists() else None
    assume(right is None or not _says(tree, right))
    path.write_text(json.dumps(tree))
    try:
        with pytest.raises(RegistryUntrustedError):
            Device(f"file://{operator.folder}", operator.folder / "root.json", operator.folder.parent).poll()
    finally:
        path.unlink() if right is None else path.write_bytes(right)


def _says(tree: dict[str, Any], right: bytes) -> bool:
    """Whether it is read as what was signed: no `spec_version`, for one, is the usual one."""
    try:
        return bool(Metadata.from_dict(copy.deepcopy(tree)) == Metadata.from_bytes(right))
    except Exception:  # noqa: BLE001  odd values make tuf raise whatever they like
        return False


def _published(factory: pytest.TempPathFactory) -> SignedRegistry:
    """One for all examples; no two of them run at once."""
    if not _PUBLISHED:
        _PUBLISHED.append(SignedRegistry(factory.mktemp("odd") / "registry"))
        _PUBLISHED[0].offer(OLD)
    return _PUBLISHED[0]


_PUBLISHED: list[SignedRegistry] = []


SIGNED_NONSENSE = {
    "deep": (DEEP, "channels/stable.json"),
    "another channel's": (b'{"schema":1,"channel":"canary","models":{}}', "is the file of channel 'canary'"),
    "newer schema": (b'{"schema":2,"channel":"stable","models":{}}', "schema"),
    "name that climbs out": (
        b'{"schema":1,"channel":"stable","models":{"../birds":{"version":"1.0.0"}}}',
        "should match pattern",
    ),
    "version that climbs out": (
        b'{"schema":1,"channel":"stable","models":{"birds":{"version":"1.0.0/../../../x"}}}',
        "should match pattern",
    ),
}


@pytest.mark.parametrize(("content", "words"), SIGNED_NONSENSE.values(), ids=SIGNED_NONSENSE)
def test_signed_nonsense_is_refused(operator: SignedRegistry, trusting: Device, content: bytes, words: str) -> None:
    operator.put("channels/stable.json", content)
    operator.publish()
    refused(trusting, RegistryError, words)
    mended(operator, trusting)


LIES = {
    "another version": Package(claims={"version": "9.9.9"}),
    "another name": Package(claims={"name": "cats"}),
    "another size": Package(custom={"size": 5}),
    "another digest": Package(custom={"digest": "sha256:" + "0" * 64}),
    "signed as another": Package(custom={"name": "cats"}),
    "signed with another version": Package(custom={"version": "9.9.9"}),
    "a file that is not there": Package(
        claims={"files": {**yaml.safe_load(Package().manifest)["files"], "more.txt": {"sha256": "0" * 64, "size": 1}}}
    ),
    "another file": Package(
        claims={
            "files": {
                **yaml.safe_load(Package().manifest)["files"],
                "birds.tflite": {"sha256": hashlib.sha256(b"").hexdigest(), "size": 0},
            }
        }
    ),
    "a path that climbs out": Package(claims={"files": {"../../birds.tflite": {"sha256": "0" * 64, "size": 1}}}),
    "an absolute path": Package(claims={"files": {"/etc/passwd": {"sha256": "0" * 64, "size": 1}}}),
    "a hidden file": Package(claims={"files": {".bashrc": {"sha256": "0" * 64, "size": 1}}}),
    "itself": Package(
        claims={
            "files": {
                **yaml.safe_load(Package().manifest)["files"],
                "model.yaml": {"sha256": "0" * 64, "size": 1},
            }
        }
    ),
}


@pytest.mark.parametrize("package", LIES.values(), ids=LIES)
def test_package_that_contradicts_itself_is_refused(operator: SignedRegistry, device: Device, package: Package) -> None:
    operator.offer(package)
    for _ in range(2):
        with pytest.raises((ModelError, RegistryError)) as caught:
            device.poll()
        assert "models/birds/1.0.0/model.yaml" in str(caught.value)
    assert not device.incoming.exists()
    mended(operator, device)


def test_package_larger_than_is_taken_is_refused_before_it_is_fetched(operator: SignedRegistry, device: Device) -> None:
    stated = {f"part{number}.bin": {"sha256": f"{number:064x}", "size": 2**28} for number in range(3)}
    package = Package(claims={"files": {**yaml.safe_load(Package().manifest)["files"], **stated}})
    package.custom = {"size": len(package.manifest) + sum(map(len, FILES.values())) + 3 * 2**28}
    operator.put_package(package)
    for name, entry in stated.items():
        path = f"{package.folder}/{name}"
        operator.targets.targets[path] = TargetFile(2**28, {"sha256": str(entry["sha256"])}, path)
    operator.put_channel({"birds": {"version": "1.0.0"}})
    operator.publish()
    with pytest.raises(ModelError, match="512 MB are taken"):
        device.poll()


def test_revoked_version_is_not_offered(operator: SignedRegistry, device: Device) -> None:
    operator.revoke(NEW, "crashes at dusk")
    operator.put_package(OLD)
    operator.offer(NEW, before={"version": "1.0.0"})
    device.take()
    assert device.has(OLD)
    operator.offer(NEW)
    assert device.poll().reason == "birds 1.1.0 is revoked: crashes at dusk"


@pytest.mark.parametrize("harm", ["link", "device", "pipe", "folder", "linked folder"])
@pytest.mark.parametrize("what", ["metadata/timestamp.json", "channels/stable.json", "models/birds/1.0.0/birds.tflite"])
def test_links_and_devices_in_a_folder_are_not_followed(
    operator: SignedRegistry, tmp_path: Path, harm: str, what: str
) -> None:
    operator.offer(OLD)
    path = operator.folder / what if what.startswith("metadata") else operator.place(what)
    kept = path.rename(tmp_path / "kept")
    if harm == "link":
        path.symlink_to(kept)
    elif harm == "device":
        path.symlink_to("/dev/zero") if os.geteuid() else os.mknod(path, 0o020644, os.makedev(1, 5))
    elif harm == "pipe":
        os.mkfifo(path)
    elif harm == "folder":
        path.mkdir()
    else:
        kept.rename(path)
        elsewhere = path.parent.rename(tmp_path / "elsewhere")
        path.parent.symlink_to(elsewhere)
    stick = Device(f"file://{operator.folder}", operator.folder / "root.json", tmp_path)
    refused(stick, RegistryUnavailableError, "symbolic link|not a regular file")
    if harm == "linked folder":
        path.parent.unlink()
        elsewhere.rename(path.parent)
    else:
        path.rmdir() if harm == "folder" else path.unlink()
        kept.rename(path)
    stick.take()
    assert stick.has(OLD)


def test_pinned_root_that_is_missing_or_none_is_named(operator: SignedRegistry, device: Device) -> None:
    operator.offer(OLD)
    right = device.root.read_bytes()
    for wrong in (None, b"", b"{}", b"x" * 100_000, (operator.folder / "metadata/timestamp.json").read_bytes()):
        device.root.unlink(missing_ok=True)
        if wrong is not None:
            device.root.write_bytes(wrong)
        with pytest.raises(RegistryUntrustedError, match=r"/root\.json: "):
            device.poll()
    device.root.write_bytes(right)
    device.take()
    assert device.has(OLD)
