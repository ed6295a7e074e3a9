"""Answers ``/v1/steering``: the manifest as it was decided, with the URIs of its clones if these
are signed."""

from gateway.play.hls.renewal import renewed_manifest
from gateway.play.reply import Reply
from gateway.play.runtime import Gateway
from gateway.play.steering import SteeringRequest, cookies_of, decide_steering, steering_reply


async def answer_steering(gateway: Gateway, request: SteeringRequest) -> Reply:
    """Answer ``GET|HEAD /v1/steering/{asset}``. Raises a 404 problem when that is no asset id."""
    decided = decide_steering(gateway, request)
    if isinstance(decided, Reply):
        return decided
    answer, state, url, now_s, renews = decided
    network = gateway.runtime.clients.network(request.peer, request.headers)
    count = request.method == "GET"
    body = await renewed_manifest(
        gateway, request.asset, network, state, answer, url, now_s, count=count
    )
    if not gateway.fleet.index.needs_cookies:
        return steering_reply(body)
    cookies = cookies_of(gateway, answer, request.asset, now_s) if renews else ()
    return steering_reply(body, cookies)
