"""Which version a channel has for a device, and if none, why: pure rules over what is signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edged.models.version import version_order
from edged.updates.layout import ModelInfo, Offer, in_rollout
from edged.updates.requires import unmet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edged.updates.layout import Channel, Revocations
    from edged.updates.registry import Asking


@dataclass(frozen=True, slots=True)
class Choice:
    """The version for a device.

    Attributes:
        reason: why there is none, in words; empty where there is one.
        newest: whether that is because the device has the channel's version, or a newer one.
    """

    info: ModelInfo | None
    reason: str = ""
    notes: str = ""
    newest: bool = False


def versions_of(offer: Offer) -> tuple[str, ...]:
    """The versions that a channel has of one model, the newer first."""
    return (offer.version,) if offer.before is None else (offer.version, offer.before.version)


def choose(channel: Channel, revocations: Revocations, infos: Mapping[str, ModelInfo], asking: Asking) -> Choice:
    """What the channel has for this device that is newer than what it has.

    A device outside a rollout's share, or one that cannot take the newer version, is offered the version before.

    Args:
        channel: the channel's file.
        revocations: the list of revoked models.
        infos: what is signed of the versions of `versions_of`, by version; one that the registry lacks is missing.
        asking: the device.
    """
    offer = channel.models.get(asking.model)
    if offer is None:
        return Choice(None, f"channel {channel.channel} has no model {asking.model}")
    reasons = []
    for version in versions_of(offer):
        why_not = (
            _outside(offer, version, asking)
            or _not_newer(version, asking)
            or _not_to_be_had(version, revocations, infos.get(version), asking)
            or _not_for_this_machine(offer, infos[version])
        )
        if why_not is None:
            return Choice(infos[version], notes=offer.notes if version == offer.version else "")
        reasons.append(why_not)
    return Choice(None, "; ".join(reasons), newest=_not_newer(offer.version, asking) is not None)


def _outside(offer: Offer, version: str, asking: Asking) -> str | None:
    if version != offer.version or in_rollout(asking.device, asking.model, version, offer.rollout):
        return None
    return f"{asking.model} {version} is for {offer.rollout:g} % of the devices so far, and this is none of them"


def _not_newer(version: str, asking: Asking) -> str | None:
    installed = asking.installed
    if installed is None or installed.name != asking.model:
        return None
    if version == installed.version:
        return f"{asking.model} {version} is installed"
    if version_order(version) <= version_order(installed.version):
        return f"{asking.model} {version} is older than {installed.version}, which is installed"
    return None


def _not_to_be_had(version: str, revocations: Revocations, info: ModelInfo | None, asking: Asking) -> str | None:
    name = f"{asking.model} {version}"
    revoked = revocations.of(asking.model, version) or (info and revocations.of_digest(info.digest))
    if revoked:
        return f"{name} is revoked: {revoked.why}"
    if info is None:
        return f"the channel names {name}, which the registry does not have"
    why = asking.refused.get(info.digest)
    if why is not None:
        return f"{name} ({info.digest[:19]}…) is refused on this device: {why} (`edged models update --again` takes it)"
    return None


def _not_for_this_machine(offer: Offer, info: ModelInfo) -> str | None:
    why_not = unmet(info.requires) or (unmet(offer.requires) if info.version == offer.version else None)
    return why_not and f"{info.name} {info.version}: {why_not}"
