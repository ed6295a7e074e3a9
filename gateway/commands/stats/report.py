"""What does ``gateway stats`` show? The figures of one moment, as a table and as JSON."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gateway.commands.stats.window import Tally

TOP = 10
BAR_CHARS = 20
NAME_CHARS = 24


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of one moment. ``lost`` counts events that never arrived since the start, None
    where the group is shared and no run sees all events. ``lag`` counts events not read yet, None
    when Redis cannot tell. ``trouble`` says why there is nothing new."""

    group: str
    window_s: int
    events: int
    shares: Mapping[str, tuple[Tally, ...]]
    lag: int | None
    pending: int
    lost: int | None
    dead_letters: int
    trouble: str | None = None

    @property
    def per_second(self) -> float:
        """Events per second, over the window."""
        return self.events / self.window_s

    def to_json(self) -> str:
        """JSON in one line."""
        members = {
            "group": self.group,
            "window_s": self.window_s,
            "events": self.events,
            "per_second": round(self.per_second, 3),
            "lag": self.lag,
            "pending": self.pending,
            "lost": self.lost,
            "dead_letters": self.dead_letters,
            "trouble": self.trouble,
            "shares": {
                dimension: [
                    {"name": each.name, "count": each.count, "share": round(each.share, 4)}
                    for each in found
                ]
                for dimension, found in self.shares.items()
            },
        }
        return json.dumps(members)

    def to_text(self) -> str:
        """A table of at most about 50 lines."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield (
            f"last {self.window_s} s: {self.events} events, {self.per_second:.1f}/s"
            f"   lost {_shown(self.lost)}, waiting {_shown(self.lag)}, "
            f"not acknowledged {self.pending}, dead letters {self.dead_letters}"
        )
        if self.trouble is not None:
            yield f"the store cannot be reached now: {self.trouble}"
        for dimension, found in self.shares.items():
            if not found:
                continue
            yield ""
            yield dimension
            for each in found[:TOP]:
                bar = "█" * round(each.share * BAR_CHARS)
                name = _printable(each.name)[:NAME_CHARS]
                yield f"  {name:<{NAME_CHARS}} {each.count:>8} {each.share:>7.1%}  {bar}".rstrip()
            if len(found) > TOP:
                rest = found[TOP:]
                count, share = sum(e.count for e in rest), sum(e.share for e in rest)
                yield f"  {f'{len(rest)} more':<{NAME_CHARS}} {count:>8} {share:>7.1%}"


def _shown(count: int | None) -> str:
    return "?" if count is None else str(count)


def _printable(text: str) -> str:
    """``text`` with control characters escaped for a terminal."""
    return text if text.isprintable() else ascii(text)
