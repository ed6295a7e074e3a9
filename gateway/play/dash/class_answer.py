"""Answers ``/v1/class/{key}/{asset}.mpd``: the manifest of a class of viewers, for every cache."""

import math
from typing import Final

from gateway.config.schema import Settings
from gateway.edge.edge import Edge
from gateway.play import problems, token_problems
from gateway.play.base_url import base_url_of
from gateway.play.compression import negotiate
from gateway.play.dash.class_draft import PATH, SUFFIX, ClassDraft, may_be_public
from gateway.play.dash.client_class import class_tag, read_class
from gateway.play.dash.manifest import MEDIA_TYPE
from gateway.play.decide import load_source, valid_asset
from gateway.play.manifest_reply import body_of, reply_with
from gateway.play.problems import Problem
from gateway.play.reply import RawHeaders, Reply
from gateway.play.request import Request
from gateway.play.runtime import Gateway
from gateway.source.source import SourceManifest
from manifests.format import ManifestFormat

_VARY: Final = (b"vary", b"Accept-Encoding")
KEPT_SHARE: Final = 2
"""A divisor: caches keep an MPD with signed URLs for at most half of the signatures' lifetime. The
rest is for the player that gets it from a cache: it must refresh before the signatures end."""


async def answer_class(gateway: Gateway, request: Request) -> Reply:
    """Answer ``GET|HEAD /v1/class/{key}/{asset}.mpd``. What follows ``?`` makes no difference.

    A key is good as long as one of the keys of the gateway has signed it, also when class manifests
    have been switched off: its players know no other URL. Raises
    :class:`gateway.play.problems.Problem`; for a key that is not good before anything is loaded.
    """
    key, _, name = request.path.removeprefix(PATH).partition("/")
    if not name.endswith(SUFFIX):
        raise problems.no_such_path()
    asset = valid_asset(name.removesuffix(SUFFIX))
    client = read_class(gateway.keys, key, asset)
    if client is None:
        raise problems.no_such_class()
    runtime = gateway.runtime
    if not may_be_public(runtime, asset):
        if runtime.protections.of(asset) is None:
            raise token_problems.no_shared_licence()
        raise token_problems.no_shared_manifest()
    network = runtime.clients.network(request.peer, request.headers)
    source = await load_source(runtime, asset, network, ManifestFormat.DASH)
    if isinstance(source, Problem):
        raise source
    draft = ClassDraft(gateway, runtime, source, asset, client, base_url_of(runtime, request))
    body = await body_of(gateway, draft, source.manifest.weight)
    coding = negotiate(request.headers.get("accept-encoding") or "")
    tag = class_tag(client, asset)
    headers: RawHeaders = (
        (b"cache-control", _cache_control(runtime.settings, source, draft.edge)),
        _VARY,
        (b"surrogate-key", f"asset/{asset} class/{tag}".encode("ascii")),
        (b"cache-tag", f"asset/{asset},class/{tag}".encode("ascii")),
    )
    return await reply_with(runtime, request, body, coding, MEDIA_TYPE, headers, is_public=True)


def _cache_control(settings: Settings, source: SourceManifest, edge: Edge) -> bytes:
    if settings.server.public_url is None:  # the answer names the Host of the request
        return b"no-store"
    most_s = settings.server.manifest_max_age_s
    signing = edge.signing
    times = cache_times(
        source.manifest.update_s,
        settings.dash.class_max_age_share,
        most_s,
        None if signing is None else signing.lifetime_s // KEPT_SHARE,
    )
    text = "public, max-age=%d, s-maxage=%d, stale-while-revalidate=%d"
    return (text % times).encode("ascii")


def cache_times(
    update_s: float | None, share: float, most_s: int, signed_s: int | None = None
) -> tuple[int, int, int]:
    """How long a player, a shared cache, and a shared cache that asks for a new copy meanwhile, may
    use a class manifest, in whole seconds.

    ``update_s`` is the update period, None for an MPD that does not change: it is kept for
    ``most_s``. Shared caches keep ``share`` of a period, and both together are below it. Nothing is
    kept of an MPD whose period is a second or less: there is no whole number below.

    Nothing is kept for longer than ``signed_s``; None where URLs are not signed.
    """
    if update_s is None:
        kept_s = most_s if signed_s is None else min(most_s, signed_s)
        return kept_s, kept_s, 0
    below = max(0, math.ceil(update_s) - 1)
    if signed_s is not None:
        below = min(below, signed_s)
    shared = min(max(int(update_s * share), 1), below)
    return min(most_s, int(update_s / 2), shared), shared, below - shared
