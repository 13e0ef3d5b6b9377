"""`edged models update`, and what `rollback`, `use`, `list` and `show` make of what it brought: signed for real."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from support.fleet_registry import NAME, Operator
from support.static_server import StaticServer, flipped, login_page, status

from edged.cli.main import main
from edged.config import load_config
from edged.labeling.label import ModelRef
from edged.models.store import Store
from edged.updates.by_hand import HandUpdate
from edged.updates.clock import Clock
from edged.updates.parts import registry_of, shelf_of
from edged.updates.shelf import refusals_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WRONG = [{"photo": "labels.txt", "labels": [{"text": "red", "confidence": 0.9}]}]


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator.begin(tmp_path)


@pytest.fixture
def server(operator: Operator) -> Iterator[StaticServer]:
    with StaticServer(operator.folder) as running:
        yield running


class Device:
    """A device of which only the command line is used."""

    def __init__(self, folder: Path, operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
        self.state = folder / "state"
        self.config = folder / "edged.yaml"
        self._root = operator.folder / "root.json"
        self._capsys = capsys
        self.configure(operator.address)

    def configure(self, url: str, model: str = f"model: {{name: {NAME}}}", more: str = "") -> None:
        self.config.write_text(
            f"device: test\nstate: {self.state}\n{model}\ncameras: {{a: {{source: photos}}}}\n"
            f"registry: {{url: '{url}', root: {self._root}{more}}}\n",
            "utf-8",
        )

    def run(self, *words: object) -> tuple[int, str, str]:
        """Exit code, output and errors of `edged models …`."""
        code = main(["models", *map(str, words)])
        out, errors = self._capsys.readouterr()
        return code, out, errors

    def update(self, *words: str) -> tuple[int, str, str]:
        return self.run("update", "-c", self.config, *words)

    def said(self, *words: str) -> dict[str, Any]:
        """What `--json` says, where all goes well."""
        code, out, errors = self.update("--json", *words)
        assert (code, errors) == (0, "")
        found: dict[str, Any] = json.loads(out)
        return found

    def marks(self) -> dict[str, str]:
        """The store's models: `*` is chosen, `<` before it, and the state."""
        _, out, _ = self.run("list", "--json", "--state", self.state)
        return {
            f"{model['name']}@{model['version']}": ("*" if model["active"] else "<" if model["previous"] else "")
            + model["state"]
            for model in json.loads(out)["models"]
            if not model["built_in"]
        }


@pytest.fixture
def device(
    tmp_path: Path, operator: Operator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Device:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return Device(tmp_path, operator, capsys)


def test_from_a_folder_it_asks_installs_and_chooses(device: Device, operator: Operator) -> None:
    operator.publish("1.0.0")
    code, out, _ = device.update("--check")
    assert code == 0
    assert out.splitlines()[1].startswith("offered: tiny 1.0.0, ")
    assert out.splitlines()[2] == "  notes of 1.0.0"
    assert device.marks() == {}, "only asked"
    code, out, errors = device.update()
    assert (code, errors) == (0, "")
    assert out.splitlines()[-1] == "tiny@1.0.0 labels from now on, on probation (edged models list)"
    assert device.marks() == {"tiny@1.0.0": "*probation"}
    code, out, _ = device.update()
    assert (code, out) == (0, "tiny 1.0.0 labels\nnothing to do: tiny 1.0.0 is installed\n")


def test_named_state_folder_is_taken_in_place_of_the_configurations(
    device: Device, operator: Operator, tmp_path: Path
) -> None:
    operator.publish("1.0.0")
    assert device.update("--state", str(tmp_path / "other"))[0] == 0
    assert device.marks() == {}
    device.state = tmp_path / "other"
    assert device.marks() == {"tiny@1.0.0": "*probation"}


def test_over_http_it_says_all_in_json_and_waits_for_no_window(
    device: Device, operator: Operator, server: StaticServer
) -> None:
    operator.publish("1.0.0")
    now = datetime.now().astimezone()
    start, end = now + timedelta(hours=2), now + timedelta(hours=3)
    device.configure(server.url, more=f", window: '{start:%H:%M}-{end:%H:%M}', automatic: false")
    offered = device.said("--check")
    assert offered["present"]["name"] == "base"
    assert (offered["offered"]["version"], offered["offered"]["notes"]) == ("1.0.0", "notes of 1.0.0")
    assert offered["installed"] is None
    assert device.said()["installed"]["digest"] == offered["offered"]["digest"]
    operator.publish("1.1.0")
    assert device.said()["installed"]["version"] == "1.1.0"
    assert device.marks() == {"tiny@1.1.0": "*probation", "tiny@1.0.0": "rolled_back"}, "one is tried at a time"
    again = device.said()
    assert (again["offered"], again["installed"]) == (None, None)
    assert again["reason"].startswith("tiny 1.1.0 is installed")


def test_a_choice_of_another_name_is_what_a_registry_is_asked_for(device: Device, operator: Operator) -> None:
    operator.publish("1.0.0")
    device.configure(operator.address, model="")
    assert "has no model base" in device.said()["reason"]
    device.configure(operator.address)
    device.update()
    operator.publish("1.1.0")
    device.configure(operator.address, model="")
    assert device.said("--check")["offered"]["version"] == "1.1.0"


def test_a_model_that_is_wrong_is_refused_and_not_offered_again(device: Device, operator: Operator) -> None:
    operator.publish("1.0.0")
    device.update()
    operator.publish("1.1.0", golden=WRONG)
    code, _, errors = device.update()
    assert (code, "labels.txt" in errors) == (65, True)
    assert device.marks() == {"tiny@1.0.0": "*probation"}
    assert "is refused" in device.said()["reason"]
    code, out, _ = device.run("list", "--state", device.state)
    assert code == 0
    assert any(line.startswith("refused: tiny 1.1.0 (") and "labels.txt" in line for line in out.splitlines())


def test_what_was_refused_before_it_was_installed_can_be_taken_anew(device: Device, operator: Operator) -> None:
    operator.publish("1.1.0")
    store = Store(device.state)
    refused = refusals_of(store)
    digest = device.said("--check")["offered"]["digest"]
    refused.add(ModelRef(NAME, "1.1.0", digest), "it takes 6.7 ms for a picture")
    reason = device.said("--check")["reason"]
    assert "is refused on this device: it takes 6.7 ms for a picture (`edged models update --again`" in reason
    assert device.said("--again", "--check")["offered"]["version"] == "1.1.0"
    assert refused.all, "only asked"
    assert device.said("--again")["installed"]["version"] == "1.1.0"
    assert refusals_of(store).all == ()
    assert device.marks()["tiny@1.1.0"] == "*probation"


def test_a_model_that_is_rolled_back_by_hand_does_not_come_again_by_itself(device: Device, operator: Operator) -> None:
    for version in ("1.0.0", "1.1.0"):
        operator.publish(version)
        device.update()
        device.run("use", f"tiny@{version}", "--state", device.state)
    store = Store(device.state)
    code, out, _ = device.run("rollback", "--state", device.state)
    assert (code, out.splitlines()[0]) == (0, "tiny@1.1.0 is refused from now on")
    assert out.splitlines()[1].startswith("the base model labels"), "1.0.0 has not shown that it does well"
    assert store.active() is None
    assert device.said("--check")["offered"]["version"] == "1.0.0", "which may be tried"
    _, out, _ = device.run("show", "tiny@1.1.0", "--state", device.state)
    lines = [line.strip() for line in out.splitlines()]
    assert "state    rolled back" in lines
    assert "refused  rolled back by hand" in lines
    assert any(line.startswith("from     registry: file:///") for line in lines)
    shown = json.loads(device.run("show", "tiny@1.1.0", "--json", "--state", device.state)[1])
    assert (shown["record"]["state"], shown["record"]["refused"]) == ("rolled_back", "rolled back by hand")
    assert device.run("use", "tiny@1.1.0", "--state", device.state)[0] == 0, "a person may"
    assert device.marks()["tiny@1.1.0"] == "*probation"
    assert json.loads(device.run("list", "--json", "--state", device.state)[1])["refused"] == []


def test_a_daemon_that_takes_the_same_update_meanwhile_is_in_nobodys_way(device: Device, operator: Operator) -> None:
    operator.publish("1.0.0")
    config = load_config(device.config)
    shelf = shelf_of(config)
    assert config.registry is not None
    registry = registry_of(config, config.registry, shelf.store)
    hand = HandUpdate(config)
    update = hand.ask().update
    assert update is not None

    def daemon_takes_it() -> None:
        shelf.take_in(registry.fetch(update, shelf.incoming, lambda *_: None, lambda: False), operator.address)

    assert hand.install(update, lambda *_: None, daemon_takes_it).record.version == "1.0.0"
    assert device.marks() == {"tiny@1.0.0": "*probation"}
    assert [*shelf.incoming.iterdir(), *shelf.incoming_by_hand.iterdir()] == []


def test_a_choice_against_the_configuration_is_said_to_be_one(device: Device, operator: Operator) -> None:
    operator.publish("1.0.0")
    device.update()
    code, _, errors = device.run("use", "base", "-c", device.config)
    note = "note: the configuration names model.name: tiny, and that labels from the next start on\n"
    assert (code, errors) == (0, note)
    assert device.run("use", "tiny", "-c", device.config)[2] == ""


def test_a_revoked_model_is_left(device: Device, operator: Operator) -> None:
    operator.publish("1.0.0")
    device.update()
    operator.revoke("1.0.0", "takes cats for birds")
    assert device.said("--check")["revoked"] == "takes cats for birds"
    assert device.marks() == {"tiny@1.0.0": "*probation"}
    code, out, _ = device.update()
    assert (code, "it is revoked: takes cats for birds" in out) == (0, True)
    assert device.marks() == {"tiny@1.0.0": "rolled_back"}
    assert device.said()["present"]["name"] == "base"
    code, _, errors = device.run("use", "tiny", "--state", device.state)
    assert (code, "tiny@1.0.0: it is revoked: takes cats for birds" in errors) == (65, True)


@pytest.mark.parametrize(
    ("end", "fault", "code"),
    [
        ("timestamp.json", status(503), 69),
        ("timestamp.json", status(404), 69),
        ("timestamp.json", login_page, 69),
        ("timestamp.json", flipped, 65),
        ("tiny.tflite", flipped, 65),
    ],
)
def test_a_server_that_fails_or_lies_changes_nothing(  # noqa: PLR0913, PLR0917  fixtures
    device: Device,
    operator: Operator,
    server: StaticServer,
    end: str,
    fault: Callable[..., None],
    code: int,
) -> None:
    operator.publish("1.0.0")
    device.configure(server.url)
    server.faults[end] = fault
    found, out, errors = device.update("--json")
    assert (found, out) == (code, "")
    assert errors.startswith("edged: ")
    assert device.marks() == {}
    server.faults.clear()
    assert device.said("--check")["offered"]["version"] == "1.0.0", "a mended one is picked up"


def test_another_root_is_not_to_be_trusted(device: Device, operator: Operator, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Operator.begin(tmp_path / "other")
    other.publish("1.0.0")
    device.configure(other.address)
    code, _, errors = device.update()
    assert (code, "signed" in errors) == (65, True)
    operator.publish("1.0.0")
    device.configure(operator.address)
    assert device.update()[0] == 0


def test_without_a_clock_nothing_is_asked(device: Device, operator: Operator) -> None:
    operator.publish("1.0.0")
    Clock(device.state / "registry").trust(datetime.now(UTC) + timedelta(days=2000))
    code, _, errors = device.update()
    assert (code, "the clock is not set" in errors) == (69, True)


def test_without_a_registry_or_beside_a_path_it_says_what_to_change(device: Device, operator: Operator) -> None:
    device.configure(operator.address, model="model: {path: m.tflite}")
    code, _, errors = device.update()
    assert (code, "take it out" in errors) == (78, True)
    text = device.config.read_text("utf-8")
    device.config.write_text(text[: text.index("registry:")].replace("{path: m.tflite}", "{}"), "utf-8")
    code, _, errors = device.update()
    assert (code, "no section `registry`" in errors) == (78, True)
    assert device.run("update", "-c", device.config.parent / "nowhere.yaml")[0] == 78
