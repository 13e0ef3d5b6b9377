"""A registry's own files, parsed, and which devices a rollout reaches."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edged.errors import RegistryError
from edged.updates.layout import (
    Before,
    Channel,
    ModelFile,
    ModelInfo,
    Offer,
    Revocation,
    Revocations,
    in_rollout,
    model_target,
    offered,
    parse_channel,
    parse_model_info,
    parse_model_target,
    parse_revocations,
    to_custom,
    to_json,
)

DIGEST = "sha256:" + "0" * 64
names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
versions = st.from_regex(r"[0-9]{1,5}\.[0-9]{1,5}\.[0-9]{1,5}([.+-][A-Za-z0-9.+-]{1,20})?", fullmatch=True)
files = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", fullmatch=True)
texts = st.text(max_size=50)
requirements = st.dictionaries(st.sampled_from(["edged", "machine", "later"]), texts, max_size=3)
offers = st.builds(
    Offer,
    version=versions,
    rollout=st.floats(0, 100),
    notes=texts,
    requires=requirements,
    before=st.none() | st.builds(Before, versions),
)
channels = st.builds(Channel, schema=st.just(1), channel=names, models=st.dictionaries(names, offers, max_size=4))
revocations = st.builds(
    Revocations,
    revoked=st.lists(
        st.builds(
            Revocation, name=names, version=versions, digest=st.just(DIGEST), why=texts, time=st.just("2026-01-01")
        ),
        max_size=4,
    ).map(tuple),
)
DEVICES = [f"device-{number}" for number in range(10_000)]


@settings(max_examples=40)
@given(channels)
def test_channel_is_read_as_it_was_written(channel: Channel) -> None:
    assert parse_channel(to_json(channel), channel.channel) == channel


@settings(max_examples=40)
@given(revocations)
def test_revocations_are_read_as_they_were_written(revoked: Revocations) -> None:
    assert parse_revocations(to_json(revoked)) == revoked


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(
    lambda tree: json.dumps(tree).encode()
))  # fmt: skip
def test_anything_else_is_an_error_that_names_the_file(data: bytes) -> None:
    with pytest.raises(RegistryError, match=r"channels/stable\.json"):
        parse_channel(data, "stable")
    with pytest.raises(RegistryError, match=r"revoked\.json"):
        parse_revocations(data)


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.2"},
        {"version": "../1.2.0"},
        {"rollout": 100.1},
        {"rollout": -1},
        {"rollout": float("nan")},
        {"before": {"version": "1.0.0/.."}},
        {"notes": "x" * 5000},
        {"requires": {"edged": 1}},
        {"requires": {str(number): "" for number in range(17)}},
    ],
)
def test_offer_out_of_bounds_is_refused(change: dict[str, object]) -> None:
    tree = {"schema": 1, "channel": "stable", "models": {"birds": {"version": "1.2.0"}}}
    assert parse_channel(json.dumps(tree).encode(), "stable").models["birds"].rollout == 100
    tree["models"] = {"birds": {"version": "1.2.0"} | change}
    with pytest.raises(RegistryError, match=r"models\.birds"):
        parse_channel(json.dumps(tree).encode(), "stable")


@pytest.mark.parametrize("name", ["", "../up", "Birds", "a/b", ".hidden", "a" * 65, "birds\n"])
def test_model_called_like_a_path_is_refused(name: str) -> None:
    tree = {"schema": 1, "channel": "stable", "models": {name: {"version": "1.2.0"}}}
    with pytest.raises(RegistryError):
        parse_channel(json.dumps(tree).encode(), "stable")


def test_another_channels_file_is_refused() -> None:
    with pytest.raises(RegistryError, match="'canary'"):
        parse_channel(to_json(Channel(1, "canary")), "stable")


def test_keys_of_a_newer_publisher_are_left_out_and_another_schema_refused() -> None:
    newer = b'{"schema": 1, "channel": "stable", "models": {"birds": {"version": "1.0.0", "colour": 1}}, "more": 2}'
    assert parse_channel(newer, "stable").models == {"birds": Offer("1.0.0")}
    with pytest.raises(RegistryError, match="schema"):
        parse_channel(newer.replace(b'"schema": 1', b'"schema": 2'), "stable")


def test_files_too_large_are_refused_unread() -> None:
    with pytest.raises(RegistryError, match="larger than 256 KB"):
        parse_channel(b" " * (256 * 1024 + 1), "stable")
    with pytest.raises(RegistryError, match="larger than 1024 KB"):
        parse_revocations(b" " * (1024 * 1024 + 1))


@given(names, versions, files)
def test_target_path_is_taken_apart_as_it_was_made(name: str, version: str, file: str) -> None:
    assert parse_model_target(model_target(name, version, file)) == ModelFile(name, version, file)


@pytest.mark.parametrize(
    "path",
    [
        "models/birds/1.0.0",
        "models/birds/1.0.0/",
        "models/birds/1.0.0/a/b",
        "models/../1.0.0/x",
        "models/birds/../x",
        "models/birds/1.0.0/..",
        "models/birds/1.0.0/.x",
        "/models/birds/1.0.0/x",
        "models/birds/1.0.0/x\n",
        "channels/stable.json",
    ],
)
def test_other_paths_are_no_models(path: str) -> None:
    assert parse_model_target(path) is None


def test_model_info_of_another_model_or_none_is_refused() -> None:
    info = ModelInfo("birds", "1.2.0", DIGEST, 4096, "Birds", {"edged": ">=0.1"})
    custom = json.loads(json.dumps(to_custom(info)))
    assert parse_model_info(custom, "models/birds/1.2.0/model.yaml") == info
    with pytest.raises(RegistryError, match=r"signed as birds 1\.2\.0"):
        parse_model_info(custom, "models/birds/1.2.1/model.yaml")
    wrongs: list[object] = [None, {}, [], {"edged": None}, {"edged": custom["edged"] | {"size": -1}}]
    for wrong in wrongs:
        with pytest.raises(RegistryError, match=r"models/birds/1\.2\.0/model\.yaml"):
            parse_model_info(wrong, "models/birds/1.2.0/model.yaml")


@pytest.mark.parametrize("share", [0, 0.5, 1, 10, 25, 50, 90, 99, 100])
def test_share_over_10000_devices_is_within_2_percent_of_what_was_asked(share: float) -> None:
    reached = sum(in_rollout(device, "birds", "1.2.0", share) for device in DEVICES) / 100
    assert abs(reached - share) <= 2
    if share in {0, 100}:
        assert reached == share


@given(st.text(max_size=40), names, versions, st.floats(0, 100), st.floats(0, 100))
def test_raising_the_share_only_adds_devices(device: str, name: str, version: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert in_rollout(device, name, version, low) <= in_rollout(device, name, version, high)
    assert in_rollout(device, name, version, low) == in_rollout(device, name, version, low)
    assert in_rollout(device, name, version, 100)
    assert not in_rollout(device, name, version, 0)


@settings(max_examples=10)
@given(names, versions, versions)
def test_versions_draw_independently(name: str, one: str, other: str) -> None:
    if one == other:
        return
    first = {device for device in DEVICES[:4000] if in_rollout(device, name, one, 50)}
    both = sum(in_rollout(device, name, other, 50) for device in first)
    assert 0.42 <= both / len(first) <= 0.58  # five standard deviations and more of a half


def test_devices_outside_the_share_are_offered_the_version_before_and_revoked_ones_never() -> None:
    inside = next(device for device in DEVICES if in_rollout(device, "birds", "1.2.0", 10))
    outside = next(device for device in DEVICES if not in_rollout(device, "birds", "1.2.0", 10))
    offer = Offer("1.2.0", 10, before=Before("1.1.0"))
    none = Revocations()
    assert offered(offer, "birds", inside, none) == "1.2.0"
    assert offered(offer, "birds", outside, none) == "1.1.0"
    assert offered(Offer("1.2.0", 10), "birds", outside, none) is None
    newest = Revocations(revoked=(Revocation("birds", "1.2.0", DIGEST, "bad", ""),))
    assert offered(offer, "birds", inside, newest) == "1.1.0"
    assert offered(Offer("1.2.0"), "birds", inside, newest) is None
    older = Revocations(revoked=(Revocation("birds", "1.1.0", DIGEST, "bad", ""),))
    assert offered(offer, "birds", inside, older) == "1.2.0"
    assert offered(offer, "birds", outside, older) is None
