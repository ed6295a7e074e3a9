"""How fast was this session lately? One estimate from everything that measured it.

A session's samples are what its player reported, in a query (``speed``), in CMCD (``mtp``), to the
steering server (``_HLS_throughput``), and by timing the probe. The estimate is the newest sample,
but at most ``rise_factor`` times the weighted median of all, and at least the median divided by
``fall_factor``. In the median, a sample weighs

- ``newer_weight`` times as much as the next newer one,
- half as much after each ``half_life_s``,
- ``probe_weight`` if it is a probe, which measures one short download from the gateway.

What a browser says of its network (``hints``) is a sample only while nothing was measured, and its
newest word replaces the one before. It has at most the confidence ``hint_confidence``.

A single sample never outweighs all others together. So one that is wrong by a factor of a thousand
(a mistaken unit, a segment from the player's cache, a lie) moves the median to its neighbour at
most, and the estimate hardly more; a second sample that agrees moves both. Only when the others are
very old (``_OUTVOTES``) does a new sample count alone. Of two samples, it is unknown which one is
wrong, so the lower one is the median.

Samples of one source in the same ``spacing_s`` are one sample, the lowest. A player that reports a
hundred times in a second therefore counts once.

An estimate is a function of the *set* of its samples: it does not depend on the order in which they
arrive, and a sample that arrives twice counts once. So workers may merge what they know.

:func:`SessionEstimate.at` gives the estimate with its **confidence** between 0 and 1: the share of
the weight that agrees with the median within ``_AGREES``, times ``W / (W + 1)`` for a total
weight ``W``. One new sample has 0.5, a few that agree have 0.7. It falls with the age of the
samples, and when they contradict each other. ``docs/throughput.md`` has the measurements.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final, Literal, NamedTuple, Self

MIN_KBPS = 1
MAX_KBPS = 10_000_000
MAX_SAMPLES = 8
CLOCK_SKEW_S = 60
"""Seconds by which another gateway's clock may be ahead; samples later than that are ignored."""
MAX_FORGET_S = 0xFFFF
"""The most seconds between the oldest and the newest sample that the stored form can express."""

SampleSource = Literal["query", "cmcd", "steering", "probe", "hints"]

_CODES: Final[Mapping[SampleSource, int]] = {
    "query": 0,
    "cmcd": 1,
    "steering": 2,
    "probe": 3,
    "hints": 16,  # from here on, what was not measured
}
_SOURCES: Final = {code: source for source, code in _CODES.items()}
_AGREES: Final = 1.5
"""The factor within which a sample agrees with the median."""
_OUTVOTES: Final = 8.0
"""A sample that weighs this many times as much as all others together counts alone."""
_MOST_CONFIDENCE: Final = 0.99
_JUST_LESS: Final = 0.99
_FEW: Final = 3

_FORMAT: Final = 2
_HEAD: Final = struct.Struct(">BI")
_SAMPLE: Final = struct.Struct(">IH")
_SOURCE_SHIFT: Final = 24
_KBPS_MASK: Final = (1 << _SOURCE_SHIFT) - 1
_PREVIOUS_FORMAT: Final = 1
_PREVIOUS_SAMPLE: Final = struct.Struct(">Iq")
_MAX_TIME_S: Final = 0xFFFF_FFFF
MAX_BYTES: Final = _HEAD.size + MAX_SAMPLES * _SAMPLE.size
"""The most bytes of the stored form."""


@dataclass(frozen=True, slots=True)
class EstimatorConfig:
    """The constants of the estimator, from ``[throughput]`` of the configuration.

    ``firm_confidence`` and ``contradiction_factor`` decide when a measurement in a request is not
    believed, and ``hint_confidence`` how far a browser's hint is trusted: see
    :mod:`gateway.client.throughput`.
    """

    rise_factor: float
    fall_factor: float
    newer_weight: float
    half_life_s: int
    forget_s: int
    spacing_s: int
    probe_weight: float
    hint_confidence: float
    firm_confidence: float
    contradiction_factor: float


class Sample(NamedTuple):
    """One measurement: whole seconds since 1970, what measured, and kbit/s."""

    time_s: int
    source: SampleSource
    kbps: int


class Estimated(NamedTuple):
    """An estimate: kbit/s, the source of the sample that decided, seconds since the newest sample,
    and the confidence from 0 to 1."""

    kbps: int
    source: SampleSource
    age_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class SessionEstimate:
    """The newest samples of one session, at most ``MAX_SAMPLES``, sorted."""

    samples: tuple[Sample, ...] = ()

    def updated(
        self,
        kbps: float,
        source: SampleSource,
        now_s: float,
        config: EstimatorConfig,
        measured_s: float | None = None,
    ) -> Self:
        """The estimate with one more sample.

        ``now_s`` is the time in seconds since 1970, and ``measured_s`` the time of the measurement
        if that is earlier; a time in the future counts as now. An implausible speed changes
        nothing. Samples of the past ``forget_s`` are kept.
        """
        if not plausible(kbps):
            return self
        taken_s = now_s if measured_s is None or not measured_s <= now_s else measured_s
        sample = Sample(int(max(0.0, taken_s)), source, round(kbps))
        latest_s = now_s + CLOCK_SKEW_S
        spacing_s = config.spacing_s
        kept = self.samples
        measured = source != "hints" and kept and kept[0].source != "hints"
        if measured and kept[-1].time_s <= latest_s:
            slot = sample.time_s // spacing_s
            oldest = slot - config.forget_s // spacing_s
            newest = kept[-1]
            if kept[0].time_s // spacing_s >= oldest:  # two usual cases, faster than _of
                if newest.time_s // spacing_s < slot:
                    return type(self)((*kept[1 - MAX_SAMPLES :], sample))
                if newest.time_s == sample.time_s and newest.source == source:
                    lower = sample.kbps < newest.kbps
                    return type(self)((*kept[:-1], sample)) if lower else self
        return self._of([*(old for old in kept if old.time_s <= latest_s), sample], config)

    def updated_together(
        self,
        measured: Sequence[tuple[float, float]],
        source: SampleSource,
        now_s: float,
        config: EstimatorConfig,
    ) -> Self:
        """The estimate with several samples of one source: kbit/s, and when each was measured.

        The same as if each was added with ``updated``, but faster.
        """
        if not measured:
            return self
        if len(measured) == 1:
            kbps, measured_s = measured[0]
            return self.updated(kbps, source, now_s, config, measured_s)
        samples = [
            Sample(int(max(0.0, min(now_s, measured_s))), source, round(kbps))
            for kbps, measured_s in measured
            if plausible(kbps)
        ]
        if not samples:
            return self
        latest_s = now_s + CLOCK_SKEW_S
        return self._of(
            [*(old for old in self.samples if old.time_s <= latest_s), *samples], config
        )

    def until(self, latest_s: float) -> Self:
        """The estimate of the samples that are not later than ``latest_s`` (seconds since 1970)."""
        if not self.samples or self.samples[-1].time_s <= latest_s:
            return self
        return type(self)(tuple([one for one in self.samples if one.time_s <= latest_s]))

    def merged(self, other: "SessionEstimate", config: EstimatorConfig) -> Self:
        """The estimate of all samples of both. Commutative, associative and idempotent."""
        return self._of([*self.samples, *other.samples], config)

    @classmethod
    def _of(cls, samples: Iterable[Sample], config: EstimatorConfig) -> Self:
        """One sample for each source and ``spacing_s``, of these the newest ``MAX_SAMPLES``; of
        hints alone, the newest."""
        spaced: dict[tuple[int, str], Sample] = {}
        given = [*samples]
        measured = [sample for sample in given if sample.source != "hints"]
        for sample in measured or given:
            slot = (sample.time_s // config.spacing_s, sample.source)
            same = spaced.get(slot)
            if same is not None:
                time_s, kbps = max(same.time_s, sample.time_s), min(same.kbps, sample.kbps)
                sample = Sample(time_s, sample.source, kbps)  # noqa: PLW2901
            spaced[slot] = sample
        newest = sorted(spaced)[-MAX_SAMPLES if measured else -1 :]
        # Whole slots are forgotten, so that it does not depend on the order of arrival.
        oldest = newest[-1][0] - config.forget_s // config.spacing_s if newest else 0
        return cls(tuple(sorted(spaced[slot] for slot in newest if slot[0] >= oldest)))

    def at(self, now_s: float, config: EstimatorConfig) -> Estimated | None:
        """The estimate at ``now_s`` (seconds since 1970); None without a sample that counts."""
        samples = self.samples
        oldest_s, latest_s = now_s - config.forget_s, now_s + CLOCK_SKEW_S
        if samples and (samples[0].time_s < oldest_s or samples[-1].time_s > latest_s):
            samples = tuple([one for one in samples if oldest_s <= one.time_s <= latest_s])
        if not samples:
            return None
        half_life_s, newer_weight = config.half_life_s, config.newer_weight
        ranked: list[tuple[int, float, SampleSource]] = []
        order = 1.0
        for time_s, source, kbps in reversed(samples):
            weight = order
            if time_s < now_s:
                weight *= 0.5 ** ((now_s - time_s) / half_life_s)
            if source == "probe":
                weight *= config.probe_weight
            elif source == "hints":
                confidence = min(config.hint_confidence, _MOST_CONFIDENCE)
                weight *= _JUST_LESS * confidence / (1 - confidence)
            ranked.append((kbps, weight, source))
            order *= newer_weight
        ranked.sort()
        weights = [weight for _, weight, _ in ranked]
        total = sum(weights)
        median, _, source = ranked[_median(weights, total)]
        low, high = median / _AGREES, median * _AGREES
        agreeing = sum([weight for kbps, weight, _ in ranked if low <= kbps <= high])
        newest = samples[-1]
        least, most = median / config.fall_factor, median * config.rise_factor
        if least <= newest.kbps <= most:
            kbps, source = newest.kbps, newest.source
        else:
            kbps = max(MIN_KBPS, min(MAX_KBPS, round(most if newest.kbps > most else least)))
        age_s = max(0.0, now_s - newest.time_s)
        return Estimated(kbps, source, age_s, agreeing / (total + 1))

    def to_bytes(self) -> bytes:
        """The stored form, at most ``MAX_BYTES``.

        The format (2), then the time of the newest sample in seconds since 1970 (4 bytes). Then for
        each sample, oldest first: its source (1 byte), kbit/s (3 bytes), and its age in seconds
        when the newest was taken (2 bytes). All numbers are big-endian.
        """
        newest_s = self.samples[-1].time_s if self.samples else 0
        return _HEAD.pack(_FORMAT, newest_s) + b"".join(
            _SAMPLE.pack(_CODES[source] << _SOURCE_SHIFT | kbps, newest_s - time_s)
            for time_s, source, kbps in self.samples
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self | None:
        """Read what ``to_bytes`` wrote; None for anything else, because a store may hold garbage,
        and a URL anything. The previous format (1) is read as well."""
        if data[:1] == bytes([_PREVIOUS_FORMAT]):
            return cls._from_previous(data)
        count, rest = divmod(len(data) - _HEAD.size, _SAMPLE.size)
        if rest or not 0 <= count <= MAX_SAMPLES:
            return None
        version, newest_s = _HEAD.unpack_from(data)
        samples: list[Sample] = []
        for packed, age_s in _SAMPLE.iter_unpack(data[_HEAD.size :]):
            code, kbps = packed >> _SOURCE_SHIFT, packed & _KBPS_MASK
            if code not in _SOURCES:
                return None
            samples.append(Sample(newest_s - age_s, _SOURCES[code], kbps))
        if version != _FORMAT or newest_s != (samples[-1].time_s if samples else 0):
            return None
        return cls._checked(samples)

    @classmethod
    def _from_previous(cls, data: bytes) -> Self | None:
        """Format 1: for each sample 4 bytes of kbit/s and 8 bytes of seconds; no source."""
        count, rest = divmod(len(data) - 1, _PREVIOUS_SAMPLE.size)
        if rest or count > MAX_SAMPLES:
            return None
        read = _PREVIOUS_SAMPLE.iter_unpack(data[1:])
        return cls._checked(sorted({Sample(time_s, "cmcd", kbps) for kbps, time_s in read}))

    @classmethod
    def _checked(cls, samples: list[Sample]) -> Self | None:
        """None for samples that no estimate has."""
        in_order = all(one < two for one, two in pairwise(samples))
        plausible_all = all(
            plausible(sample.kbps) and 0 <= sample.time_s <= _MAX_TIME_S for sample in samples
        )
        close = not samples or samples[-1].time_s - samples[0].time_s <= MAX_FORGET_S
        return cls(tuple(samples)) if in_order and plausible_all and close else None


def _median(weights: list[float], total: float) -> int:
    """The index of the weighted median, by the rules of the module. ``weights`` are those of the
    samples in order of their speed."""
    if len(weights) == 1:
        return 0
    heaviest = max(weights)
    others = total - heaviest
    if heaviest >= others * _OUTVOTES:
        return weights.index(heaviest)
    if len(weights) < _FEW:
        return 0
    if heaviest >= others:
        weights = [*weights]
        weights[weights.index(heaviest)] = others * _JUST_LESS
        total = others + others * _JUST_LESS
    return bisect_left(list(accumulate(weights)), total / 2)


def plausible(kbps: float) -> bool:
    """Whether a network that plays video can be this fast. False for NaN and infinity."""
    return MIN_KBPS <= kbps <= MAX_KBPS
