"""What is said of the broker: real ones, right and wrong."""

from __future__ import annotations

import gc
import socket
import subprocess
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from support.mosquitto import HOST, Mosquitto, free_port

from edged.config import MqttConfig
from edged.doctor.broker import look_at_broker

if TYPE_CHECKING:
    from pathlib import Path

    from support.machine import Tree

    from edged.doctor.check import Check


def ask(tree: Tree, port: int, **given: object) -> Check:
    mqtt = MqttConfig.model_validate({"host": HOST, "port": port, **given})
    [check] = look_at_broker(replace(tree.machine, mqtt=mqtt))
    return check


def test_no_configuration_asks_no_broker(tree: Tree) -> None:
    assert [check.state for check in look_at_broker(tree.machine)] == ["absent"]


def test_broker_that_lets_us_in_is_well_and_hears_nothing_of_us(tree: Tree, broker: Mosquitto) -> None:
    check = ask(tree, broker.port)
    assert (check.state, check.text) == ("ok", f"{HOST}:{broker.port} lets this device in, without a user (MQTT 5)")
    assert "PUBLISH" not in broker.log
    assert "edged-doctor-" in broker.log  # and not the daemon's own id, which would end the daemon's connection


def test_older_broker_is_asked_in_its_own_version(tree: Tree, broker: Mosquitto) -> None:
    assert ask(tree, broker.port, protocol="3.1.1").text.endswith("(MQTT 3.1.1)")


@pytest.fixture
def guarded(tmp_path: Path) -> Mosquitto:
    """A broker that knows `me` with the password `right`."""
    users = tmp_path / "users"
    users.write_text("")
    subprocess.run(["mosquitto_passwd", "-b", users, "me", "right"], check=True, capture_output=True)  # noqa: S607  Debian's
    users.chmod(0o600)
    return Mosquitto(tmp_path, lines=("allow_anonymous false", f"password_file {users}"))


def test_wrong_password_names_its_file_and_how_to_set_it_anew(tree: Tree, guarded: Mosquitto, tmp_path: Path) -> None:
    secret = tmp_path / "mqtt-password"
    with guarded as broker:
        secret.write_text("right\n")
        assert ask(tree, broker.port, username="me", password_file=str(secret)).state == "ok"
        secret.write_text("wrong-one\n")
        check = ask(tree, broker.port, username="me", password_file=str(secret))
        nobody = ask(tree, broker.port)
    assert (check.state, "the broker refuses the connection: Not authorized" in check.text) == ("problem", True)
    assert str(secret) in str(check.cure)
    assert "sudo mosquitto_passwd /etc/mosquitto/passwd me" in str(check.cure)
    assert "wrong-one" not in f"{check}"
    assert "mqtt.username and mqtt.password_file" in str(nobody.cure)


def test_nobody_who_listens_is_a_problem_with_its_cure(tree: Tree) -> None:
    check = ask(tree, free_port())
    assert (check.state, "Connection refused" in check.text) == ("problem", True)
    assert "listener 1883" in str(check.cure)


def test_name_that_is_not_known_is_a_problem_with_its_cure(tree: Tree) -> None:
    check = ask(tree, 1883, host="no-such-broker.invalid")
    assert check.state == "problem"
    assert "mqtt.host" in str(check.cure)


def test_what_is_no_broker_is_a_problem_with_its_cure(tree: Tree) -> None:
    with socket.create_server((HOST, 0)) as server:

        def answer() -> None:
            for _ in range(2):  # both versions
                connection, _ = server.accept()
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        check = ask(tree, server.getsockname()[1])
    assert check.state == "problem"
    assert "mqtt.tls" in str(check.cure)


# paho drops the socket of a handshake that failed, and the garbage collector closes it
@pytest.mark.filterwarnings("ignore:Exception ignored in.*socket:pytest.PytestUnraisableExceptionWarning")
def test_tls_at_a_port_without_it_is_a_problem_with_its_cure(tree: Tree, broker: Mosquitto) -> None:
    check = ask(tree, broker.port, tls={})
    gc.collect()
    assert check.state == "problem"
    assert "8883" in str(check.cure)


def test_each_node_of_a_cluster_is_asked(tree: Tree, broker: Mosquitto) -> None:
    mqtt = MqttConfig.model_validate({"servers": [f"{HOST}:{free_port()}", f"{HOST}:{broker.port}"]})
    checks = look_at_broker(replace(tree.machine, mqtt=mqtt))
    assert [check.state for check in checks] == ["problem", "ok"]
    assert checks[0].name.startswith(f"broker {HOST}:")
