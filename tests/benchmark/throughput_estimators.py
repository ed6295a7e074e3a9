"""How well do throughput estimators predict the next download, and what does an outlier do?

    python -m tests.benchmark.throughput_estimators [FOLDER OF TRACES]

Each trace becomes a series of downloads of ``DOWNLOAD_S``; each estimator sees up to ``HISTORY``
of them and predicts the next. Error is |ln(predicted / real)|: 0.1 is about 10 % off. The outlier
columns multiply the newest sample by 100 or by 0.01 and give the factor by which the estimate
moves, median and 95th percentile over all points of all traces.
"""

import json
import math
import statistics
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from gateway.client.estimate import MIN_KBPS, SessionEstimate

Sample = tuple[float, float]
"""(time in seconds, kbit/s)"""
Estimator = Callable[[Sequence[Sample]], float]

DOWNLOAD_S = 4.0
GAPS_S = (0.0, 8.0, 26.0)
HISTORY = 12
FEWEST = 3
TRACES = Path(__file__).parents[3] / "shared" / "corpus" / "traces"


def last(samples: Sequence[Sample]) -> float:
    """The newest sample."""
    return samples[-1][1]


def ewma(samples: Sequence[Sample]) -> float:
    """Exponentially weighted mean, 0.3 for the newest."""
    estimate = samples[0][1]
    for _, kbps in samples[1:]:
        estimate += 0.3 * (kbps - estimate)
    return estimate


def harmonic(samples: Sequence[Sample]) -> float:
    """Harmonic mean of five, as model-predictive players take it."""
    return statistics.harmonic_mean([kbps for _, kbps in samples[-5:]])


def ours(samples: Sequence[Sample]) -> float:
    """What the gateway remembers."""
    estimate = SessionEstimate()
    for time_s, kbps in samples:
        estimate = estimate.updated(kbps, time_s)
    return estimate.kbps()


ESTIMATORS: dict[str, Estimator] = {
    "last value": last,
    "EWMA 0.3": ewma,
    "harmonic 5": harmonic,
    "gateway": ours,
}


def downloads(points: Sequence[Sequence[float]], gap_s: float) -> list[Sample]:
    """The mean speed of back-to-back downloads with a pause of ``gap_s`` between them."""
    ends, bits = [0.0], [0.0]
    for duration_ms, kbps, _latency_ms in points:
        ends.append(ends[-1] + duration_ms / 1000)
        bits.append(bits[-1] + duration_ms / 1000 * kbps)

    def received(time_s: float) -> float:
        upper = max(1, bisect_left(ends, time_s))
        part = (time_s - ends[upper - 1]) / (ends[upper] - ends[upper - 1])
        return bits[upper - 1] + part * (bits[upper] - bits[upper - 1])

    samples, start = [], 0.0
    while start + DOWNLOAD_S <= ends[-1]:
        kbps = (received(start + DOWNLOAD_S) - received(start)) / DOWNLOAD_S
        samples.append((start + DOWNLOAD_S, max(MIN_KBPS, kbps)))
        start += DOWNLOAD_S + gap_s
    return samples


def histories(file: Path, gap_s: float) -> Iterator[tuple[list[Sample], float]]:
    """Every (history, next speed) of a file of traces."""
    for line in file.read_text().splitlines():
        samples = downloads(json.loads(line)["points"], gap_s)
        for index in range(FEWEST, len(samples)):
            yield samples[max(0, index - HISTORY) : index], samples[index][1]


def errors(file: Path, gap_s: float, estimator: Estimator) -> list[float]:
    """|ln(predicted / real)| at every point of a file."""
    return [abs(math.log(estimator(seen) / real)) for seen, real in histories(file, gap_s)]


def swings(files: Sequence[Path], gap_s: float, estimator: Estimator) -> list[float]:
    """Factors by which the estimate moves when the newest sample is 100 times too high or low."""
    factors = []
    for file in files:
        for seen, _ in histories(file, gap_s):
            honest, (time_s, kbps) = estimator(seen), seen[-1]
            for wrong in (kbps * 100, kbps / 100):
                wild = estimator([*seen[:-1], (time_s, max(MIN_KBPS, wrong))])
                factors.append(max(wild / honest, honest / wild))
    return factors


def main() -> int:
    """Print the tables; 1 when there are no traces."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else TRACES
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        print(f"no traces (*.jsonl) in {folder}", file=sys.stderr)
        return 1
    for gap_s in GAPS_S:
        print(
            f"\nmedian / 90th percentile error; {DOWNLOAD_S:.0f} s downloads, {gap_s:.0f} s pauses"
        )
        print(f"{'':12}" + "".join(f"{file.stem:>16}" for file in files) + f"{'one outlier':>20}")
        for name, estimator in ESTIMATORS.items():
            cells = []
            for file in files:
                deciles = statistics.quantiles(errors(file, gap_s, estimator), n=10)
                cells.append(f"{deciles[4]:>9.3f} /{deciles[8]:5.2f}")
            swing = statistics.quantiles(swings(files, gap_s, estimator), n=20)
            print(f"{name:12}" + "".join(cells) + f"{f'x{swing[9]:.2f} / x{swing[18]:.1f}':>20}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
