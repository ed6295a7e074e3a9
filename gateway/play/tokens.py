"""Does an asset want a playback token, and does the one of the request admit its viewer?

A request brings a token (:mod:`gateway.play.presented`), or the signed admission of an earlier
answer (:mod:`gateway.play.carrying`); the token counts when both are there, unless it has expired
or is in a cookie that does not open the asset. A token is verified once for a request, and its
conditions are checked for each asset.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

from gateway.client.facts import Facts
from gateway.observe import metrics
from gateway.play import token_problems as problems
from gateway.play.base_url import base_url_of
from gateway.play.carrying import read_admission, signed_admission
from gateway.play.clients import Sender
from gateway.play.licences import is_licensed
from gateway.play.presented import PlacedToken, cookie_token, presented_token
from gateway.play.problems import Problem, revoked
from gateway.play.request import Headers, Request
from gateway.play.revoked import is_revoked
from gateway.play.runtime import Gateway, Runtime
from gateway.reason import Reason, Step
from gateway.steering.query import GRANT
from gateway.store.connection.keys import DIGEST_BYTES, session_name
from gateway.store.coordination.revocations import Revocable, revoked_name
from gateway.trust.admission import Admission, Denial, Names, Viewer, stricter
from gateway.trust.tokens.protection import Protection
from gateway.trust.tokens.refusal import RefusalCode, Refused
from gateway.trust.tokens.renewal import terms_of
from gateway.trust.tokens.verified import VerifiedToken
from manifests.format import ManifestFormat

_NAMES = Names(
    token=lambda text: revoked_name(Revocable.TOKEN, text)[1:],
    subject=lambda text: revoked_name(Revocable.SUBJECT, text)[1:],
    session=session_name,
)
_WANTED = Reason(Step.TOKEN, "token-wanted", "players need a token for this asset")


Fault = tuple[str, Problem]
"""The outcome to count, and the problem to raise."""


@dataclass(frozen=True, slots=True)
class Presented:
    """What a request brings: a verified token, or why it is refused, and what it was read from; the
    text of an admission. ``wanted`` is the format of the manifest that it is about; None is any."""

    token: VerifiedToken | Refused | None
    carried: str | None
    source: PlacedToken | None = field(default=None, repr=False)
    wanted: ManifestFormat | None = None

    def gives_way(self) -> bool:
        """Whether the admission counts where the token opens nothing. Players send cookies unasked,
        and a token that has ended along with every request."""
        in_cookie = self.source is not None and self.source.place == "cookie"
        return bool(self.carried) and (self.token is None or in_cookie or _has_expired(self.token))


def present(
    gateway: Gateway,
    runtime: Runtime,
    request: Request,
    assets: Sequence[str],
    wanted: ManifestFormat | None = None,
) -> Presented | None:
    """Read and verify the token of a request for manifests in the format ``wanted``; None when none
    of the assets wants one.

    Raises a 400 problem for several tokens, and, for a single asset, a 401 problem for what admits
    nobody, before anything else is read.
    """
    protections = runtime.protections
    if not protections or not any(protections.of(asset) is not None for asset in assets):
        return None
    try:
        source = presented_token(request)
    except Problem:
        metrics.TOKENS.labels("several").inc()
        raise
    carried = request.parameters.by_name.get(GRANT)
    token = None if source is None else _verified(gateway, source.text)
    cookies = runtime.settings.tokens.cookies
    if cookies and (token is None or _has_expired(token)):
        kept = cookie_token(request, cookies)
        if kept is not None:
            source, token = kept, _verified(gateway, kept.text)
    found = Presented(token, carried, source, wanted)
    if len(assets) == 1 and not (token is None and request.by_operator):
        _check_first(found)
    return found


def _verified(gateway: Gateway, text: str) -> VerifiedToken | Refused:
    """What a token allows. :func:`_admission` checks what it says of the request."""
    return gateway.tokens.verify(text, time.time(), checks_request=True)


def _has_expired(token: VerifiedToken | Refused | None) -> bool:
    return isinstance(token, Refused) and token.code is RefusalCode.EXPIRED


def _check_first(found: Presented) -> None:
    """Raises a 401 problem for what admits nobody, whoever asks."""
    if not found.gives_way() and not isinstance(found.token, VerifiedToken):
        raise _count(*_not_valid(found.token))


def admit(
    gateway: Gateway,
    runtime: Runtime,
    request: Request,
    presented: Presented | None,
    facts: Facts,
    asset: str,
) -> Admission | None:
    """On what the viewer of a request is admitted to an asset; None when that wants no token.

    Raises the problem of the first condition that is not met, also for an open asset that is not
    for where the viewer is. How many sessions of a subject play is seen later
    (:func:`count_session`).
    """
    if request.by_operator and (presented is None or presented.token is None):
        return None
    protection = runtime.protections.over(asset)
    if presented is None or protection is None or protection.is_open:
        denial = _denied_here(runtime, protection, facts.place.country, facts.place.anonymous)
        if denial is not None:
            raise _count(denial.value, problems.denied(denial))
        return None
    viewer = _viewer(runtime, request, facts)
    admission, outcome = _admission(gateway, runtime, request, presented, protection, asset)
    names = _revocable(admission)
    session = viewer.session
    if is_revoked(gateway, session, names):
        raise _count("revoked", revoked())
    denial = _denial(runtime, protection, admission, viewer, time.time())
    if denial is not None:
        raise _count(denial.value, problems.denied(denial))
    metrics.TOKENS.labels(outcome).inc()
    return renewed_admission(runtime, admission, time.time()).narrowed(viewer)


def _denial(
    runtime: Runtime, protection: Protection, admission: Admission, viewer: Viewer, now_s: float
) -> Denial | None:
    """Why a valid token does not admit ``viewer`` at ``now_s`` (Unix time); None when it does."""
    settings = runtime.settings.tokens
    denial = admission.denial(
        viewer,
        now_s,
        settings.leeway_s,
        unknown_country=settings.unknown_country == "allow",
    )
    return denial or _denied_here(runtime, protection, viewer.country, viewer.anonymous)


def _denied_here(
    runtime: Runtime, protection: Protection | None, country: str | None, anonymous: bool | None
) -> Denial | None:
    """Why the assets of a protection, also of an open one, are not for where a viewer is, whatever
    a token says; None when they are."""
    if not is_licensed(runtime, protection, country):
        return Denial.COUNTRY
    if protection is not None and protection.refuse_anonymous and anonymous:
        return Denial.ANONYMOUS
    return None


def _admission(
    gateway: Gateway,
    runtime: Runtime,
    request: Request,
    presented: Presented,
    protection: Protection,
    asset: str,
) -> tuple[Admission, str]:
    """What the token allows for an asset, or an earlier answer, and the outcome to count. Raises a
    problem."""
    token = presented.token
    if isinstance(token, VerifiedToken):
        fault = _mismatch(runtime, request, token, presented.wanted, protection, asset)
        if fault is None:
            terms = None if runtime.renewal is None else terms_of(token)
            rules = gateway.tokens.rules
            return Admission.of(token, _NAMES, rules, time.time(), terms), "accepted"
    else:
        fault = _not_valid(token)
    if presented.gives_way():
        found = read_admission(gateway, runtime, presented.carried or "", asset)
        if found is not None:
            return found, "carried"
    raise _count(*fault)


def _mismatch(
    runtime: Runtime,
    request: Request,
    token: VerifiedToken,
    wanted: ManifestFormat | None,
    protection: Protection,
    asset: str,
) -> Fault | None:
    """Why a valid token does not open an asset to a request; None when it does."""
    mismatch = protection.mismatch(token)
    if mismatch is not None:
        return "asset", problems.not_open(mismatch)
    if not token.allows_asset(asset):
        return "asset", problems.other_asset()
    uri = _uri(runtime, request, asset, wanted)
    claim = token.allows_request(request.method, uri, request.headers.any)
    return None if claim is None else ("request", problems.other_request(claim))


def _not_valid(token: Refused | None) -> Fault:
    """Why a request without a valid token is refused."""
    if token is None:
        return "missing", problems.token_wanted()
    return "expired" if _has_expired(token) else "invalid", problems.invalid_token(token)


def admit_all(
    gateway: Gateway,
    runtime: Runtime,
    request: Request,
    presented: Presented | None,
    facts: Facts,
    assets: Sequence[str],
) -> dict[int, Admission | Problem]:
    """The admission to each asset that wants a token, or why the viewer may not play an asset, by
    the position of the asset."""
    found: dict[int, Admission | Problem] = {}
    for at, asset in enumerate(assets):
        try:
            admission = admit(gateway, runtime, request, presented, facts, asset)
        except Problem as problem:
            found[at] = problem
        else:
            if admission is not None:
                found[at] = admission
    return found


def with_admission(facts: Facts, admission: Admission | Problem | None) -> Facts:
    """The facts with the stricter of the limits of request and token."""
    if not isinstance(admission, Admission):
        return facts
    limits, reason = stricter(facts.limits, admission.limits)
    if reason is None:
        return facts
    reasons = (*facts.reasons, reason)
    return replace(facts, limits=limits, granted=admission.limits, reasons=reasons)


def told_operators(facts: Facts, presented: Presented | None) -> Facts:
    """The facts of an operator's request without a token, with what players need."""
    if presented is None or presented.token is not None or _WANTED in facts.reasons:
        return facts
    return replace(facts, reasons=(*facts.reasons, _WANTED))


async def count_session(
    gateway: Gateway, admission: Admission | None, facts: Facts, *, take: bool
) -> None:
    """Count a session for its subject; with ``take`` False, only look. Raises a 403 problem when as
    many play as its token allows."""
    if admission is None or admission.max_sessions is None or admission.subject is None:
        return
    session = counted_name(admission, facts)
    most = admission.max_sessions
    wait_s = await gateway.concurrent.take(admission.subject, session, most, take=take)
    if wait_s is not None:
        raise _count("sessions", problems.too_many_sessions(most, wait_s))


def counted_name(admission: Admission, facts: Facts) -> bytes:
    """The name under which a session counts: its own; without one, the token in this network."""
    if facts.session is not None:
        return session_name(facts.session)
    return _unnamed(admission, facts.network)


def _unnamed(admission: Admission, network: str) -> bytes:
    text = (admission.token or admission.digest) + network.encode()  # a renewed one keeps its id
    return blake2b(text, digest_size=DIGEST_BYTES, person=b"counted-session").digest()


def renewed_admission(runtime: Runtime, admission: Admission, now_s: float) -> Admission:
    """The same with a later end, if it may be renewed at ``now_s`` (Unix time). Only for a viewer
    who was just admitted."""
    rules = runtime.renewal
    return admission if rules is None else admission.renewed(now_s, rules)


def seen_playing(
    gateway: Gateway, text: str, asset: str, session: bytes | None, network: str
) -> tuple[str, Admission | None]:
    """A player that carries the admission ``text`` asks for steering: its session plays. Returns
    what it is to carry on, and the admission; empty and None for what no gateway has issued. Never
    raises."""
    if session is not None:
        gateway.concurrent.seen(session)
    admission = read_admission(gateway, gateway.runtime, text, asset) if text else None
    if admission is not None and session is None and admission.max_sessions is not None:
        gateway.concurrent.seen(_unnamed(admission, network))
    return "" if admission is None else text, admission


class CarriedOn(NamedTuple):
    """What a steering answer carries on. ``renews``: the signatures of its edges may be renewed.
    ``grant`` is the signed admission, empty without one."""

    renews: bool
    grant: str


def carried_on(
    gateway: Gateway,
    asset: str,
    session: bytes | None,
    grant: str,
    sender: Sender,
    headers: Headers,
    now_s: float,
) -> CarriedOn:
    """Whether the signatures of a session that plays may be renewed at ``now_s`` (Unix time) for
    who sends a request with ``headers``, and its admission, with a later end if it is time to renew
    it.

    ``session`` is its ``session_name``, ``grant`` the admission that its URLs carry, empty without
    one. Nothing is renewed for what is revoked or would not be admitted (any more), nor for an
    asset that wants a token where none is carried. Never raises: steering is answered in any case
    (rule C4.2).
    """
    runtime = gateway.runtime
    protection = runtime.protections.over(asset)
    if protection is None or protection.is_open:
        place = sender.place
        denial = _denied_here(runtime, protection, place.country, place.anonymous)
        return CarriedOn(denial is None and not is_revoked(gateway, session), grant)
    admission = read_admission(gateway, runtime, grant, asset)
    if (
        admission is None
        or is_revoked(gateway, session, _revocable(admission))
        or is_revoked(gateway, admission.session)  # the request need not name it
    ):
        return CarriedOn(renews=False, grant=grant)
    viewer = Viewer(
        # Its playlist was given to the session of the token. The URLs of steering name none, or one
        # that the gateway has made for it.
        session=admission.session,
        country=sender.place.country,
        anonymous=sender.place.anonymous,
        address=sender.client,
        asn=sender.place.asn,
        device=runtime.clients.player(headers).device.kind,
    )
    if _denial(runtime, protection, admission, viewer, now_s) is not None:
        return CarriedOn(renews=False, grant=grant)
    later = renewed_admission(runtime, admission, now_s)
    if later is not admission:
        grant = signed_admission(gateway, later, asset)
    return CarriedOn(renews=True, grant=grant)


def _revocable(admission: Admission) -> list[bytes]:
    """The names of an admission as revocations have them."""
    found = []
    if admission.token is not None:
        found.append(b"t" + admission.token)
    if admission.subject is not None:
        found.append(b"u" + admission.subject)
    return found


def _viewer(runtime: Runtime, request: Request, facts: Facts) -> Viewer:
    return Viewer(
        session=None if facts.named is None else session_name(facts.named),
        country=facts.place.country,
        anonymous=facts.place.anonymous,
        address=runtime.clients.address(request.peer, request.headers),
        asn=facts.place.asn,
        device=facts.device.kind,
    )


def _uri(runtime: Runtime, request: Request, asset: str, wanted: ManifestFormat | None) -> str:
    """The URI that ``catu`` must match, without a query: that of the source manifest below
    ``tokens.catu_base``, else that of the request. A request for any format is about the playlist.
    """
    base, source = runtime.settings.tokens.catu_base, runtime.settings.source
    if base is None:
        return f"{base_url_of(runtime, request)}{request.path}"
    template = source.dash if wanted is ManifestFormat.DASH else source.hls
    return f"{base}{template.replace('{asset}', asset)}"


def _count(outcome: str, problem: Problem) -> Problem:
    metrics.TOKENS.labels(outcome).inc()
    return problem
