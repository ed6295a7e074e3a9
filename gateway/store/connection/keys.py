"""Under which name is something stored in Redis?

Names are ``gw1:<kind>:<digest>``. The version keeps a later layout from reading values of this one.
The digest is there because session and asset ids are player input: every name has the same few
bytes, and none of them is harmful.
"""

from hashlib import blake2b

PREFIX = b"gw1:"
PROBE = PREFIX + b"probe"
WORKERS = PREFIX + b"{workers}:until"
WORKER_FACTS = PREFIX + b"{workers}:facts"
ACKNOWLEDGED = PREFIX + b"{workers}:ack:"
DIGEST_BYTES = 20

EVENTS = PREFIX + b"{events}:log"
"""The stream of decision events. Names with ``{events}`` share one slot of a Redis Cluster."""
REPORTS = PREFIX + b"{events}:reports"
"""The stream of CMCD reports."""
DEAD_EVENTS = PREFIX + b"{events}:dead"
"""The stream of events that no consumer could process."""

SESSION_EVENTS = PREFIX + b"{events}:s:"
"""What the names of the lists of sessions' last events begin with; the shown hash follows."""
SESSION_INDEX = PREFIX + b"{events}:sessions"
"""The sessions that have such a list, by the time of their last event."""

HEALTH_LEASE = PREFIX + b"{health}:prober"
"""The lease of the worker that probes the edges."""
HEALTH_STATES = PREFIX + b"{health}:states"
"""The findings of the probes."""
HEALTH_COVERED = PREFIX + b"{health}:covered"
"""What is probed."""

EDGE_FACTS = PREFIX + b"{edges}:facts"
"""Registrations of edges by id. Names with ``{edges}`` share one slot, too."""
EDGE_UNTIL = PREFIX + b"{edges}:until"
"""When each registration expires, or, after deregistration, its marker."""
EDGE_DRAINS = PREFIX + b"{edges}:drains"
"""Drains by edge id."""
EDGE_OVERRIDES = PREFIX + b"{edges}:overrides"
"""Overrides of steering, by their ids."""

LEASES = PREFIX + b"{leases}:held"
"""Leases of edge capacity. Names with ``{leases}`` share one slot, too."""
LEASE_ENDS = PREFIX + b"{leases}:ends"
"""When each lease ends."""

SHARED_KEY = PREFIX + b"{keys}:shared"
"""The random key that workers share when the config has none."""

PRIORS = PREFIX + b"{priors}:known"
"""The priors of networks. Names with ``{priors}`` share one slot, too."""

REVOCATIONS = PREFIX + b"{revocations}:held"
"""Revoked tokens, subjects and sessions, by hashes of their names."""
COUNTED = PREFIX + b"{subjects}:"
"""What the names of the concurrent sessions of subjects begin with."""
AUDIT_LOG = PREFIX + b"{audit}:log"
"""The audit log. Names with ``{audit}`` share one slot, too."""

SOURCE_PURGES = PREFIX + b"{sources}:purges"
"""Purges of source manifests, and their times."""


def decision_key(key: str) -> bytes:
    """The name of a cached half of a decision."""
    return PREFIX + b"d:" + _digest(key)


def session_name(session: str) -> bytes:
    """The hash used in place of a session's id: ``DIGEST_BYTES`` bytes that do not reveal
    the id."""
    return blake2b(session.encode("utf-8", "surrogatepass"), digest_size=DIGEST_BYTES).digest()


def shown_session(name: bytes) -> str:
    """The hash by which operators know a session, 16 hexadecimal digits: the beginning of its
    ``session_name``."""
    return name[:8].hex()


def subject_key(subject: bytes) -> bytes:
    """The name of the sessions of a subject, given by a hash of it."""
    return COUNTED + b"of:" + subject.hex().encode("ascii")


def counted_session_key(session: bytes) -> bytes:
    """The name of the subject of a session that is counted, given by its ``session_name``."""
    return COUNTED + b"s:" + session.hex().encode("ascii")


def session_key(session: str | bytes) -> bytes:
    """The name of the record of a player session, given by its id or its :func:`session_name`."""
    digest = _digest(session) if isinstance(session, str) else session.hex().encode("ascii")
    return PREFIX + b"s:" + digest


def source_key(name: str) -> bytes:
    """The name of a copy of a source manifest."""
    return PREFIX + b"o:" + _digest(name)


def rate_key(name: bytes) -> bytes:
    """The name of what a client network owes, given by a mac of it."""
    return PREFIX + b"{rates}:" + name.hex().encode("ascii")


def prior_window_key(window_s: int, start_s: int) -> bytes:
    """The name of the sketches of one window: its length and its start, in seconds."""
    return PREFIX + b"{priors}:%d:%d" % (window_s, start_s)


def event_writer_key(writer: str) -> bytes:
    """The name of the last event number that a writer has stored."""
    return PREFIX + b"{events}:w:" + _digest(writer)


def audit_writer_key(writer: str) -> bytes:
    """The name of the number of the last entry that a writer has added to the audit log."""
    return PREFIX + b"{audit}:w:" + _digest(writer)


def audit_once_key(name: str) -> bytes:
    """The name of the mark that an entry of the audit log has been added for several writers."""
    return PREFIX + b"{audit}:o:" + _digest(name)


def nonce_key(nonce: str) -> bytes:
    """The name of the mark that a signed request of an operator has been accepted."""
    return PREFIX + b"n:" + _digest(nonce)


def bus_log(topic: str) -> bytes:
    """The name of a topic's log."""
    return PREFIX + b"{bus}:log:" + topic.encode()


def bus_channel(topic: str) -> bytes:
    """The channel that announces new messages of a topic."""
    return PREFIX + b"{bus}:ring:" + topic.encode()


def _digest(text: str) -> bytes:
    # Lone surrogates are possible in decoded player input; they must not raise here.
    data = text.encode("utf-8", "surrogatepass")
    return blake2b(data, digest_size=DIGEST_BYTES).hexdigest().encode("ascii")
