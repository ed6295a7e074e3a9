"""The operator's own rules for devices.

Patterns run in ua-parser's Rust engine. It has no back-references and no look-around, so no
User-Agent can make a pattern slow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ua_parser_rs import OSExtractor

from gateway.client.facts import DeviceKind
from manifests.codecs import CodecFamily, VideoRange

_MAX_PATTERN_CHARS = 512


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """One rule: ``match`` is searched for in the User-Agent, case-sensitively.

    The other values override what the classifier finds, unless they are None. ``max_height`` is in
    pixels, ``max_frame_rate`` in frames per second. Raises ValueError when ``match`` is not a
    pattern that the engine accepts.
    """

    name: str
    match: str
    kind: DeviceKind | None = None
    os: str | None = None
    player: str | None = None
    model: str | None = None
    max_height: int | None = None
    max_frame_rate: float | None = None
    codecs: frozenset[CodecFamily] | None = None
    video_ranges: frozenset[VideoRange] | None = None

    def __post_init__(self) -> None:
        """Refuse an invalid pattern here, where the error can name the rule."""
        check_match(self.match)


@dataclass(frozen=True, slots=True)
class DeviceRules:
    """The operator's rules, in order."""

    rules: Sequence[DeviceRule]
    _engine: OSExtractor = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile all patterns into one engine, which reports the first that matches."""
        numbered = enumerate(self.rules)
        engine = OSExtractor(
            [(rule.match, str(number), None, None, None, None) for number, rule in numbered]
        )
        object.__setattr__(self, "_engine", engine)

    def first_match(self, user_agent: str) -> DeviceRule | None:
        """The first rule whose pattern occurs in the User-Agent; None without one."""
        found = self._engine.extract(user_agent) if self.rules else None
        return None if found is None else self.rules[int(found.family)]


def check_match(pattern: str) -> str:
    """Return ``pattern``. Raises ValueError with the reason when the engine refuses it."""
    if not 0 < len(pattern) <= _MAX_PATTERN_CHARS:
        raise ValueError(f"is not 1 to {_MAX_PATTERN_CHARS} characters long")
    try:
        OSExtractor([(pattern, "0", None, None, None, None)])
    except ValueError as refusal:
        lines = str(refusal).replace("\\n", "\n").splitlines()
        reason = lines[-1].removeprefix("error: ").rstrip('")')
        raise ValueError(f"is not a pattern that runs in linear time ({reason})") from None
    return pattern
