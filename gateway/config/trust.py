"""What does the gateway believe of what peers say? Said at the start, so that operators know it."""

from dataclasses import dataclass

from gateway.config.schema import Settings


@dataclass(frozen=True, slots=True)
class Belief:
    """Something that is believed. ``key`` is the key of the config that changes it."""

    key: str
    meaning: str

    def __str__(self) -> str:
        """One line."""
        return f"{self.key}: {self.meaning}"


def beliefs_of(settings: Settings) -> tuple[Belief, ...]:
    """What a gateway with these settings believes."""
    found = []
    server = settings.server
    if server.trusted_proxies:
        networks = ", ".join(map(str, server.trusted_proxies))
        names = ("Forwarded", "X-Forwarded-For")
        named = [name for name in names if name.lower() in server.forwarded_headers]
        headers = ", ".join([*named, "X-Forwarded-Proto"])
        text = (
            f"whoever connects from {networks} is believed in what it says of a viewer by {headers}"
            ": of its address, for example, and so of its country"
        )
        found.append(Belief("server.trusted_proxies", text))
    if server.public_url is None and not server.allowed_hosts:
        text = (
            "is not set, and neither is server.allowed_hosts: URLs in live MPDs and in decisions "
            "have any Host that their request names"
        )
        found.append(Belief("server.public_url", text))
    return tuple(found)
