"""Names, tokens, sessions and proofs, without a network."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edged.web.security import MOST_ADDRESSES, SESSION_S, Gate, Names, is_loopback, network

NOW = 1_800_000_000.0
LOOPBACK = Names.of("127.0.0.1", (), loopback=True)
ANYWHERE = Names.of("0.0.0.0", ("porch.example",), loopback=False)  # noqa: S104  it is compared


@given(st.text(max_size=60))
def test_no_host_header_breaks_it_and_only_known_names_and_addresses_pass(host: str) -> None:
    if LOOPBACK.allows(host):
        name = host.rpartition(":")[0] or host
        assert name.strip("[]").lower().rstrip(".") in {"localhost", "::1"} or name.startswith("127.")


def test_names_are_compared_whole_whatever_their_case_and_port() -> None:
    assert all(ANYWHERE.allows(host) for host in ("PORCH.example", "porch.example.:443", "10.0.0.1", "[::1]:1"))
    assert not any(ANYWHERE.allows(host) for host in ("porch.example.org", "xporch.example", "0x7f.1", "127.1.evil"))


@given(st.text(max_size=40))
def test_only_the_token_is_the_token(other: str) -> None:
    gate = Gate("the token of this test")
    assert gate.knows("the token of this test")
    assert gate.knows(other) == (other == "the token of this test")
    assert not Gate(None).knows(other)


def test_a_session_lasts_for_its_time_outlives_a_restart_and_ends_with_its_token() -> None:
    session = Gate("token one, long enough").session(NOW)
    again = Gate("token one, long enough")
    assert again.is_session(session, NOW + 1)
    assert again.is_session(session, NOW + SESSION_S - 1)
    assert not again.is_session(session, NOW + SESSION_S + 1)
    assert not again.is_session(session, NOW - 2), "a clock that was set back: longer than any session lasts"
    assert not Gate("token two, long enough").is_session(session, NOW + 1)
    expiry, nonce, signature = session.split(".")
    assert not again.is_session(f"{int(expiry) + 1}.{nonce}.{signature}", NOW + 1)


def test_another_token_ends_every_session_and_opens_nothing() -> None:
    gate = Gate("token one, long enough")
    session = gate.session(NOW)
    assert not gate.renew("token one, long enough")
    assert not gate.renew(None), "a page that wants a token goes on wanting one"
    assert gate.is_session(session, NOW + 1)
    assert gate.renew("token two, long enough")
    assert (gate.knows("token one, long enough"), gate.knows("token two, long enough")) == (False, True)
    assert not gate.is_session(session, NOW + 1)
    unlocked = Gate(None)
    assert (unlocked.renew("token two, long enough"), unlocked.open) == (False, True)


@given(st.text(max_size=120))
def test_no_text_that_was_not_given_out_is_a_session_or_a_proof(text: str) -> None:
    gate = Gate("token one, long enough")
    assert not gate.is_session(text, NOW)
    assert not gate.is_proof(text, "session")


def test_this_machine_has_many_addresses_and_an_ipv6_network_one() -> None:
    assert all(is_loopback(address) for address in ("127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1"))
    assert not any(is_loopback(address) for address in ("10.0.0.1", "fe80::1%eth0", "::ffff:10.0.0.1", "", "nobody"))
    assert network("fd00::1") == network("fd00::2%eth0") != network("fd00:0:0:1::1")


def test_an_address_has_so_many_tries_and_others_are_not_kept_waiting() -> None:
    gate = Gate("token one, long enough")
    assert [gate.may_try("10.0.0.1", 1000.0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert gate.may_try("10.0.0.2", 1000.0)
    assert gate.may_try("10.0.0.1", 1013.0), "one more after twelve seconds"
    assert [gate.may_try(f"fd00::{each:x}", 1000.0) for each in range(7)].count(True) == 5, "an IPv6 network is one"
    for each in range(2 * MOST_ADDRESSES):
        gate.may_try(f"10.1.{each // 256}.{each % 256}", 1000.0)
    gate.forgive("10.0.0.1")
    assert gate.may_try("10.0.0.1", 1013.0)
