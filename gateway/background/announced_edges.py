"""Which edges do the entries of the register announce?

Only entries that are signed count, and of each edge only the newest
(:mod:`gateway.trust.registrations`). What they say is checked as the config is, and the URLs have
to be among those that the config allows: a key that became known cannot send viewers elsewhere.
"""

from collections.abc import Collection, Mapping, Sequence

from gateway.background.entry_parser import EntryParser
from gateway.background.registered_signing import RegisteredSigning
from gateway.config.build import registration_keys_of
from gateway.config.registration import MAX_TTL_S, Registration, allowed_by, registration_of
from gateway.config.schema import Settings
from gateway.edge.edge import Edge
from gateway.edge.registered import Heartbeat
from gateway.edge.url_pattern import UrlPattern
from gateway.store.coordination.register import RegisterEntry
from gateway.store.garbage import found_garbage
from gateway.trust.registrations import Announcement, AnnouncementVerifier, NewestAnnouncements


class AnnouncedEdges:
    """Reads entries with the keys and patterns of a config."""

    def __init__(self, settings: Settings) -> None:
        self._newest = NewestAnnouncements()
        self._signing = RegisteredSigning(lambda: self._settings.signing)
        self._refused: frozenset[tuple[bytes, int]] = frozenset()
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Use a new config."""
        self._settings = settings.registry
        self._patterns = [UrlPattern.of(text) for text in settings.registry.urls]
        self._verifier = AnnouncementVerifier(registration_keys_of(settings))
        self._genuine = EntryParser(self._verifier.verify, _not_genuine)
        self._registrations = EntryParser(self._registration)

    @property
    def enabled(self) -> bool:
        """Whether registered edges are used."""
        return self._settings.enabled

    def accepts(self, edge: Edge, key_id: str) -> bool:
        """Whether an edge that was registered with this key may stay."""
        return (
            self.enabled and key_id in self._verifier.key_ids and allowed_by(self._patterns, edge)
        )

    def read(
        self, entries: Sequence[RegisterEntry], now_s: float
    ) -> tuple[Sequence[Heartbeat], Collection[str]]:
        """The heartbeats at ``now_s`` (Unix time), and the ids of edges that have left."""
        genuine = self._genuine.parse((each.id, each.entry) for each in entries)
        current = self._without_old(genuine, now_s)
        present = [(edge_id, each.facts) for edge_id, each in current.items() if each.facts]
        parsed = self._registrations.parse(present)
        beats = []
        for entry in entries:
            found = parsed.get(entry.id)
            edge = None if found is None else self._signing.signed(found.edge)
            if found is None or edge is None:
                continue
            announcement = current[entry.id]
            signed_s = announcement.left_s(found.ttl_s, now_s)
            left_s = min(entry.left_ms / 1000, MAX_TTL_S, signed_s)
            if left_s > 0:
                beats.append(Heartbeat(edge, left_s, found.ttl_s, announcement.key_id))
        left = {edge_id.decode() for edge_id, each in current.items() if not each.facts}
        return beats, left

    def _without_old(
        self, genuine: Mapping[bytes, Announcement], now_s: float
    ) -> dict[bytes, Announcement]:
        """The announcements that count at ``now_s``. Each of the others is counted once."""
        current: dict[bytes, Announcement] = {}
        refused: set[tuple[bytes, int]] = set()
        for edge_id, each in genuine.items():
            refusal = self._newest.refusal(edge_id, each, now_s)
            if refusal is None:
                current[edge_id] = each
                continue
            refused.add((edge_id, each.at_ms))
            if (edge_id, each.at_ms) not in self._refused:
                found_garbage("registration", refusal)
        self._refused = frozenset(refused)
        return current

    def _registration(self, edge_id: bytes, facts: bytes | None) -> Registration:
        found = registration_of(facts or b"")
        if found.edge.id.encode() != edge_id:
            raise ValueError("the registration names another edge id")
        if not allowed_by(self._patterns, found.edge):
            raise ValueError("registry.urls does not allow the URL of the edge")
        return found


def _not_genuine(edge_id: bytes, reason: str) -> None:  # noqa: ARG001
    """Count an entry that no key has signed. Whoever wrote it does not choose what is logged."""
    found_garbage("registration", reason)
