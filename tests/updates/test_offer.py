"""Which version a channel has for a device: shares, revocations, what is installed, what a model asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edged.labeling.label import ModelRef
from edged.updates.layout import Before, Channel, ModelInfo, Offer, Revocation, Revocations, in_rollout
from edged.updates.offer import choose, versions_of
from edged.updates.registry import Asking

ASKING = Asking("porch-pi", "birds")
INFOS = {
    version: ModelInfo("birds", version, f"sha256:{number:064x}", 10)
    for number, version in enumerate(("1.0.0", "1.1.0", "1.10.0"))
}
OFFER = Offer("1.1.0", notes="Robins", before=Before("1.0.0"))


def channel(offer: Offer) -> Channel:
    return Channel(1, "stable", {"birds": offer})


def outcome(offer: Offer, asking: Asking = ASKING, revocations: Revocations | None = None) -> tuple[str | None, str]:
    choice = choose(channel(offer), revocations or Revocations(), INFOS, asking)
    return None if choice.info is None else choice.info.version, choice.reason


def installed(version: str, name: str = "birds") -> Asking:
    return replace(ASKING, installed=ModelRef(name, version, "sha256:" + "f" * 64))


def revoked(version: str, digest: str | None = None) -> Revocations:
    return Revocations(1, (Revocation("birds", version, digest or INFOS[version].digest, "bad", ""),))


def test_newer_version_is_chosen_with_its_notes() -> None:
    choice = choose(channel(OFFER), Revocations(), INFOS, installed("1.0.0"))
    assert (choice.info, choice.notes, choice.reason) == (INFOS["1.1.0"], "Robins", "")


@pytest.mark.parametrize(
    ("asking", "expected"),
    [
        (installed("1.1.0"), "birds 1.1.0 is installed; birds 1.0.0 is older than 1.1.0, which is installed"),
        (installed("1.2.0"), "birds 1.1.0 is older than 1.2.0, which is installed"),
        (installed("1.1.0.1"), "birds 1.1.0 is older than 1.1.0.1, which is installed"),
        (replace(ASKING, model="cats"), "channel stable has no model cats"),
    ],
)
def test_reason_for_no_update(asking: Asking, expected: str) -> None:
    version, reason = outcome(OFFER, asking)
    assert version is None
    assert reason.startswith(expected)


def test_versions_are_compared_as_numbers() -> None:
    assert outcome(Offer("1.10.0"), installed("1.9.0")) == ("1.10.0", "")


def test_model_of_another_name_does_not_stand_in_the_way() -> None:
    assert outcome(OFFER, installed("9.0.0", name="base")) == ("1.1.0", "")


def test_device_outside_the_share_gets_the_version_before() -> None:
    outside = replace(OFFER, rollout=0.0)
    assert outcome(outside) == ("1.0.0", "")
    version, reason = outcome(outside, installed("1.0.0"))
    assert version is None
    assert reason == (
        "birds 1.1.0 is for 0 % of the devices so far, and this is none of them; birds 1.0.0 is installed"
    )
    assert outcome(Offer("1.1.0", rollout=0.0))[0] is None


def test_each_device_is_offered_by_its_own_draw() -> None:
    offer = Offer("1.1.0", rollout=25.0)
    for number in range(200):
        device = f"pi-{number}"
        expected = "1.1.0" if in_rollout(device, "birds", "1.1.0", 25.0) else None
        assert outcome(offer, replace(ASKING, device=device))[0] == expected


def test_revoked_version_gives_way_to_the_one_before() -> None:
    assert outcome(OFFER, revocations=revoked("1.1.0")) == ("1.0.0", "")
    assert outcome(Offer("1.1.0"), revocations=revoked("1.1.0")) == (None, "birds 1.1.0 is revoked: bad")


def test_revoked_digest_counts_under_any_name() -> None:
    revocations = Revocations(1, (Revocation("cats", "7.0.0", INFOS["1.1.0"].digest, "bad", ""),))
    assert outcome(Offer("1.1.0"), revocations=revocations) == (None, "birds 1.1.0 is revoked: bad")


def test_refused_digest_is_not_chosen() -> None:
    version, reason = outcome(Offer("1.1.0"), replace(ASKING, refused={INFOS["1.1.0"].digest: "rolled back by hand"}))
    assert version is None
    assert reason == (
        "birds 1.1.0 (sha256:000000000000…) is refused on this device: rolled back by hand"
        " (`edged models update --again` takes it)"
    )


def test_it_is_known_whether_the_device_has_the_newest_that_there_is() -> None:
    def is_newest(offer: Offer, version: str) -> bool:
        return choose(channel(offer), Revocations(), INFOS, installed(version)).newest

    assert is_newest(Offer("1.1.0"), "1.1.0")
    assert is_newest(Offer("1.1.0"), "2.0.0")
    assert not is_newest(Offer("1.1.0"), "1.0.0")
    assert not is_newest(Offer("2.0.0"), "1.1.0"), "the registry lacks it"


def test_version_that_the_registry_lacks_is_said() -> None:
    assert outcome(Offer("2.0.0"))[1] == "the channel names birds 2.0.0, which the registry does not have"


@pytest.mark.parametrize("of_channel", [True, False])
def test_version_for_a_newer_edged_gives_way_to_the_one_before(*, of_channel: bool) -> None:
    requires = {"edged": ">=99"}
    offer = replace(OFFER, requires=requires) if of_channel else OFFER
    infos = INFOS if of_channel else {**INFOS, "1.1.0": replace(INFOS["1.1.0"], requires=requires)}
    assert choose(channel(offer), Revocations(), infos, ASKING).info == INFOS["1.0.0"]
    alone = choose(channel(replace(offer, before=None)), Revocations(), infos, ASKING)
    assert alone.info is None
    assert alone.reason.startswith("birds 1.1.0: it asks for edged >=99, here is ")


def test_versions_of_an_offer_are_in_order() -> None:
    assert versions_of(OFFER) == ("1.1.0", "1.0.0")
    assert versions_of(Offer("1.1.0")) == ("1.1.0",)
