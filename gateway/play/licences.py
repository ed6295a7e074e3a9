"""Is an asset licensed in the country of its viewer? ``[[tokens.protect]]`` says where, for assets
that want a token and for those that are open."""

from dataclasses import replace

from gateway.client.facts import Facts
from gateway.play.runtime import Runtime
from gateway.reason import Reason, Step
from gateway.trust.tokens.protection import Protection

_NOT_LICENSED = Reason(
    Step.TOKEN, "not-licensed", "this asset is not licensed here; players get 451"
)


def is_licensed(runtime: Runtime, protection: Protection | None, country: str | None) -> bool:
    """Whether viewers in ``country`` (ISO 3166-1 alpha-2; None: not known) may play the assets of a
    protection, whatever their token says."""
    unknown = runtime.settings.tokens.unknown_country == "allow"
    return protection is None or protection.is_licensed(country, unknown=unknown)


def told_licence(runtime: Runtime, facts: Facts) -> Facts:
    """The facts of an operator's request, with why players there would be refused."""
    if is_licensed(runtime, runtime.protections.over(facts.asset), facts.place.country):
        return facts
    return replace(facts, reasons=(*facts.reasons, _NOT_LICENSED))
