"""Under which name is something stored?

Names are ``gw1:<kind>:<digest>``: a version, so that a later layout does not read this one's
values; and a digest, because session ids and asset ids are player input. Whatever the player sends,
a name has the same few bytes, all of them harmless.
"""

from hashlib import blake2b

PREFIX = b"gw1:"
PROBE = PREFIX + b"probe"
WORKERS = PREFIX + b"{workers}:until"
WORKER_FACTS = PREFIX + b"{workers}:facts"
ACKNOWLEDGED = PREFIX + b"{workers}:ack:"
DIGEST_BYTES = 20

EVENTS = PREFIX + b"{events}:log"
"""The stream of decision events; names with ``{events}`` share one slot of a Redis Cluster."""
DEAD_EVENTS = PREFIX + b"{events}:dead"
"""The stream of the events that no consumer could process."""

HEALTH_LEASE = PREFIX + b"{health}:prober"
"""Who probes the edges."""
HEALTH_STATES = PREFIX + b"{health}:states"
"""What the probes found."""

EDGE_FACTS = PREFIX + b"{edges}:facts"
"""What registered edges say of themselves, by id; names with ``{edges}`` share one slot, too."""
EDGE_UNTIL = PREFIX + b"{edges}:until"
"""When each of them expires, and the leave that others have taken."""
EDGE_DRAINS = PREFIX + b"{edges}:drains"
"""Which edges operators drain, by id."""

LEASES = PREFIX + b"{leases}:held"
"""Who has leased how much of which edge; names with ``{leases}`` share one slot of a cluster."""
LEASE_ENDS = PREFIX + b"{leases}:ends"
"""When each lease ends."""

SOURCE_PURGES = PREFIX + b"{sources}:purges"
"""What was purged of the copies of source manifests, and when."""


def decision_key(key: str) -> bytes:
    """The name of the decision for one client class, place cell, asset and policy version."""
    return PREFIX + b"d:" + _digest(key)


def session_key(session: str) -> bytes:
    """The name of what is remembered of one player session."""
    return PREFIX + b"s:" + _digest(session)


def source_key(name: str) -> bytes:
    """The name of a copy of a source manifest."""
    return PREFIX + b"o:" + _digest(name)


def event_writer_key(writer: str) -> bytes:
    """The name of how far one writer of events has come."""
    return PREFIX + b"{events}:w:" + _digest(writer)


def bus_log(topic: str) -> bytes:
    """The name of a topic's log."""
    return PREFIX + b"{bus}:log:" + topic.encode()


def bus_channel(topic: str) -> bytes:
    """The channel on which it rings when a topic has something new."""
    return PREFIX + b"{bus}:ring:" + topic.encode()


def _digest(text: str) -> bytes:
    # Lone surrogates are possible in decoded player input; they must not raise here.
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest().encode("ascii")
