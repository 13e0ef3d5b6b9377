"""Models published, promoted and revoked, as a device sees it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.models import write_package
from support.registry import Device, new_registry

from edged.errors import ModelError, PermissionDeniedError, RegistryError, UnavailableError, UsageError
from edged.models.package import open_package
from edged.updates.keys import Keys
from edged.updates.layout import Before, Offer
from edged.updates.publish import Published, Release, promote, publish, revoke

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("model.yaml", "labels.txt", "tiny.tflite")


class Registry:
    """A registry and the model `birds`, of which versions are made when they are wanted."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        self.folder = tmp_path / "models"
        new_registry(tmp_path)
        self.device = Device(tmp_path / "device", self.folder)

    @property
    def keys(self) -> Keys:
        return Keys([self.tmp_path / "keys"])

    def package(self, version: str, title: str = "Birds") -> Path:
        folder = self.tmp_path / f"birds-{version}-{title}"
        return write_package(folder, name="birds", manifest={"version": version, "title": title})

    def publish(self, version: str, release: Release | None = None) -> Published:
        return publish(self.folder, self.keys, self.package(version), release or Release(), open_package)

    def promote(self, version: str, release: Release) -> Published:
        return promote(self.folder, self.keys, "birds", version, release)

    def offer(self, channel: str = "stable") -> Offer:
        self.device.look()
        return self.device.channel(channel).models["birds"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def test_new_registry_offers_nothing_and_its_root_is_what_devices_pin(registry: Registry) -> None:
    assert registry.device.channel().models == {}
    assert registry.device.revocations().revoked == ()
    root = (registry.folder / "root.json").read_bytes()
    assert root == (registry.folder / "metadata/1.root.json").read_bytes()
    signed = json.loads(root)["signed"]
    assert signed["consistent_snapshot"] is True
    assert {key["keytype"] for key in signed["keys"].values()} == {"ed25519"}
    assert {len(role["keyids"]) for role in signed["roles"].values()} == {1}


def test_published_package_comes_to_the_device_file_for_file(registry: Registry) -> None:
    release = Release(notes="knows magpies", requires={"edged": ">=0.1"})
    done = registry.publish("1.0.0", release)
    package = registry.package("1.0.0")
    assert registry.offer() == Offer("1.0.0", 100, "knows magpies", {"edged": ">=0.1"})
    files = registry.device.download("birds", "1.0.0", FILES)
    assert files == {name: (package / name).read_bytes() for name in FILES}
    info = registry.device.info("birds", "1.0.0")
    assert info == done.model
    assert info.digest == f"sha256:{hashlib.sha256(files['model.yaml']).hexdigest()}"
    assert (info.size, info.title) == (sum(map(len, files.values())), "Birds")
    assert info.requires == {"edged": ">=0.1"}


def test_file_of_a_package_lies_where_a_plain_web_server_finds_it(registry: Registry) -> None:
    registry.publish("1.0.0+edgetpu")
    labels = hashlib.sha256(b"red\ngreen\nblue\n").hexdigest()
    assert (registry.folder / f"targets/models/birds/1.0.0+edgetpu/{labels}.labels.txt").is_file()
    served = {path.name for path in registry.folder.iterdir()}
    assert served == {".lock", "root.json", "metadata", "targets"}


def test_file_that_the_manifest_does_not_name_is_not_published(registry: Registry) -> None:
    package = registry.package("1.0.0")
    (package / "notes.txt").write_text("secret")
    registry.publish("1.0.0")
    assert not list(registry.folder.rglob("*notes.txt"))


def test_devices_outside_a_rollout_keep_the_last_version_that_was_for_all(registry: Registry) -> None:
    assert registry.publish("1.0.0").offer.before is None
    assert registry.publish("1.1.0", Release(rollout=10)).offer.before == Before("1.0.0")
    assert registry.publish("1.2.0", Release(rollout=10)).offer.before == Before("1.0.0")
    assert registry.promote("1.2.0", Release(rollout=50)).offer.before == Before("1.0.0")
    registry.promote("1.2.0", Release())
    assert registry.publish("1.10.0", Release(rollout=0)).offer.before == Before("1.2.0")
    assert registry.offer() == Offer("1.10.0", 0, before=Before("1.2.0"))


def test_revoked_version_is_nobodys_way_back(registry: Registry) -> None:
    registry.publish("1.0.0")
    registry.publish("1.1.0")
    revoke(registry.folder, registry.keys, "birds", "1.1.0", "bad")
    assert registry.publish("1.2.0").offer.before == Before("1.0.0")
    revoke(registry.folder, registry.keys, "birds", "1.0.0", "bad too")
    revoke(registry.folder, registry.keys, "birds", "1.2.0", "bad as well")
    assert registry.publish("1.3.0").offer.before is None


@pytest.mark.parametrize("version", ["0.9.0", "1.9.0", "1.10.0-rc1", "1.10.0"])
def test_version_that_is_not_newer_is_refused(registry: Registry, version: str) -> None:
    registry.publish("1.10.0")
    with pytest.raises(UsageError, match=r"published already|stable has birds 1\.10\.0, and .* never go down"):
        registry.publish(version)
    assert registry.offer().version == "1.10.0"


def test_version_is_never_used_for_another_package(registry: Registry) -> None:
    registry.publish("1.0.0", Release("canary"))
    with pytest.raises(UsageError, match="promote"):
        registry.publish("1.0.0")
    other = registry.package("1.0.0", "Other birds")
    with pytest.raises(UsageError, match="never used twice"):
        publish(registry.folder, registry.keys, other, Release(), open_package)


def test_promotion_takes_notes_and_requirements_along(registry: Registry) -> None:
    registry.publish("1.0.0", Release("canary", notes="new", requires={"machine": "aarch64"}))
    assert registry.device.channel().models == {}
    done = registry.promote("1.0.0", Release(rollout=25))
    assert registry.offer() == done.offer == Offer("1.0.0", 25, "new", {"machine": "aarch64"})
    assert registry.promote("1.0.0", Release(rollout=100)).offer == Offer("1.0.0", 100, "new", {"machine": "aarch64"})
    assert registry.offer("canary").rollout == 100


def test_promotion_of_what_is_not_there_or_too_old_is_refused(registry: Registry) -> None:
    registry.publish("1.0.0", Release("canary"))
    registry.publish("1.1.0")
    with pytest.raises(UsageError, match=r"no birds 2\.0\.0 .* there is 1\.0\.0, 1\.1\.0"):
        registry.promote("2.0.0", Release())
    with pytest.raises(UsageError, match=r"no cats 1\.0\.0 .* there is birds"):
        promote(registry.folder, registry.keys, "cats", "1.0.0", Release())
    with pytest.raises(UsageError, match="never go down"):
        registry.promote("1.0.0", Release())


@pytest.mark.parametrize("damage", ["missing", "truncated", "another"])
def test_version_with_a_damaged_file_is_not_offered_to_further_devices(registry: Registry, damage: str) -> None:
    registry.publish("1.0.0")
    registry.publish("1.1.0", Release("canary"))
    file = next(registry.folder.glob("targets/models/birds/1.1.0/*.tiny.tflite"))
    whole = file.read_bytes()
    file.unlink() if damage == "missing" else file.write_bytes(
        whole[:-1] if damage == "truncated" else b"x" + whole[1:]
    )
    with pytest.raises(RegistryError, match=rf"birds 1\.1\.0 cannot be offered: {file}: .*; restore .* from a copy"):
        registry.promote("1.1.0", Release())
    assert registry.offer().version == "1.0.0"
    assert registry.promote("1.1.0", Release("canary", rollout=0)).offer.rollout == 0  # so that it can be stopped
    file.write_bytes(whole)
    assert registry.promote("1.1.0", Release()).offer.version == "1.1.0"


def test_revoked_version_is_told_to_devices_and_its_number_is_gone(registry: Registry) -> None:
    registry.publish("1.0.0")
    digest = registry.publish("1.1.0").model.digest
    revoke(registry.folder, registry.keys, "birds", "1.1.0", "takes cats for birds")
    assert registry.offer().version == "1.1.0"
    revoked = registry.device.revocations().of_digest(digest)
    assert revoked is not None
    assert (revoked.version, revoked.why) == ("1.1.0", "takes cats for birds")
    with pytest.raises(UsageError, match="revoked already: takes cats"):
        revoke(registry.folder, registry.keys, "birds", "1.1.0", "again")
    with pytest.raises(UsageError, match="is revoked"):
        registry.promote("1.1.0", Release("canary"))
    with pytest.raises(UsageError, match="never used twice"):
        registry.publish("1.1.0")
    with pytest.raises(UsageError, match="never go down"):
        registry.publish("1.0.5")
    registry.publish("1.1.1")
    assert registry.offer() == Offer("1.1.1", before=Before("1.0.0"))


def test_package_that_a_device_would_refuse_is_not_published(registry: Registry) -> None:
    registry.publish("1.0.0")
    before = sorted(registry.folder.rglob("*"))
    package = registry.package("1.1.0")
    (package / "labels.txt").write_text("red\ngreen\nviolet\n")
    with pytest.raises(ModelError, match=rf"{package}/labels\.txt: .* where model\.yaml says"):
        publish(registry.folder, registry.keys, package, Release(), open_package)
    (package / "labels.txt").unlink()
    (package / "labels.txt").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match="symbolic link"):
        publish(registry.folder, registry.keys, package, Release(), open_package)
    with pytest.raises(ModelError, match="edged models pack"):
        publish(registry.folder, registry.keys, package / "tiny.tflite", Release(), open_package)
    assert sorted(registry.folder.rglob("*")) == before


def test_package_that_changes_while_it_is_checked_is_published_as_it_was_checked(registry: Registry) -> None:
    package = registry.package("1.0.0")
    labels = (package / "labels.txt").read_bytes()

    def check(copied: Path) -> None:
        (package / "labels.txt").write_text("evil\n")
        open_package(copied)

    publish(registry.folder, registry.keys, package, Release(), check)
    registry.device.look()
    assert registry.device.download("birds", "1.0.0", ("labels.txt",)) == {"labels.txt": labels}


def test_notes_that_devices_would_not_read_are_refused(registry: Registry) -> None:
    with pytest.raises(RegistryError, match=r"channels/stable\.json: models\.birds\.notes"):
        registry.publish("1.0.0", Release(notes="x" * 4001))
    registry.publish("1.0.0", Release(notes="x" * 4000))


def test_second_publisher_is_told_and_the_first_goes_on(registry: Registry) -> None:
    with (registry.folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(UnavailableError, match="another command works on this registry"):
            registry.publish("1.0.0")
    registry.publish("1.0.0")


@pytest.mark.parametrize("name", ["metadata/timestamp.json", "metadata/1.targets.json", "metadata/1.root.json"])
def test_registry_that_somebody_else_changed_is_not_signed_over(registry: Registry, name: str) -> None:
    (registry.tmp_path / "keys/root.json").unlink()
    path = registry.folder / name
    tree = json.loads(path.read_bytes())
    tree["signed"]["expires"] = "2099-01-01T00:00:00Z"
    path.write_text(json.dumps(tree))
    with pytest.raises(RegistryError, match=rf"{path}: not signed by the keys of root 1"):
        registry.publish("1.0.0")


def test_changed_channel_is_not_signed_over(registry: Registry) -> None:
    path = next(registry.folder.glob("targets/channels/*.stable.json"))
    path.write_bytes(path.read_bytes().replace(b"stable", b"stabel"))
    with pytest.raises(RegistryError, match="not what was signed"):
        registry.publish("1.0.0")


def test_registry_of_a_stranger_is_not_taken_for_the_own(registry: Registry, tmp_path: Path) -> None:
    new_registry(tmp_path / "other")
    shutil.rmtree(registry.folder)
    shutil.copytree(tmp_path / "other/models", registry.folder)
    with pytest.raises(RegistryError, match="not signed by the keys of root 1"):
        registry.publish("1.0.0")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"signed": {}}', b"\xff" * 10])
def test_damaged_metadata_is_named(registry: Registry, damage: bytes) -> None:
    path = registry.folder / "metadata/1.snapshot.json"
    path.write_bytes(damage)
    with pytest.raises(RegistryError, match=rf"{path}: .*restore"):
        registry.publish("1.0.0")


def test_leftovers_of_a_crash_are_taken_away_and_their_numbers_not_used_again(registry: Registry) -> None:
    (registry.folder / ".staging").mkdir()
    (registry.folder / ".staging/old").write_text("x")
    (registry.folder / "metadata/2.targets.json").write_text("half a fi")
    registry.publish("1.0.0")
    assert registry.offer().version == "1.0.0"
    assert not (registry.folder / ".staging").exists()
    assert (registry.folder / "metadata/2.targets.json").read_text() == "half a fi"
    assert (registry.folder / "metadata/3.targets.json").exists()


def test_superseded_metadata_is_taken_away_in_time_and_what_is_in_use_stays(registry: Registry) -> None:
    registry.publish("1.0.0")
    for share in range(25):
        registry.promote("1.0.0", Release(rollout=share))
    snapshots = {path.name for path in registry.folder.glob("metadata/*.snapshot.json")}
    assert len(snapshots) == 20
    assert "27.snapshot.json" in snapshots
    assert registry.offer().rollout == 24


def test_full_disk_leaves_the_old_state_served(registry: Registry) -> None:
    """The kernel refuses every byte of a file beyond the limit, as it does on a full disk."""
    registry.publish("1.0.0")
    package = registry.package("1.1.0")
    data = (package / "model.yaml").read_text().replace("a test", "a test " * 200)
    (package / "model.yaml").write_text(data)
    before = sorted(registry.folder.rglob("*"))
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); from edged.cli.main import main;"
        f"raise SystemExit(main(['registry', 'publish', '{registry.folder}', '{package}', '--keys',"
        f" '{registry.tmp_path}/keys']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (73, "")
    assert "File too large; what is served is as whole as before" in done.stderr
    assert sorted(registry.folder.rglob("*")) == before
    assert registry.offer().version == "1.0.0"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written_is_said(registry: Registry) -> None:
    registry.publish("1.0.0")
    (registry.folder / "metadata").chmod(0o500)
    with pytest.raises(PermissionDeniedError, match="may not write here"):
        registry.publish("1.1.0")
    (registry.folder / "metadata").chmod(0o700)
    assert registry.offer().version == "1.0.0"
