"""Session estimates for tests, with the shipped constants."""

from gateway.client.estimate import EstimatorConfig, SampleSource, SessionEstimate
from gateway.config.build import estimator_of
from gateway.config.load import load

NOW = 1_800_000_000.0
CONFIG: EstimatorConfig = estimator_of(load(environ={}).settings)


def remembered(
    *speeds: float, age_s: float = 0, apart_s: float = 5, source: SampleSource = "cmcd"
) -> SessionEstimate:
    """A session with these samples, ``apart_s`` seconds apart, the last one ``age_s`` ago."""
    estimate = SessionEstimate()
    for newer, kbps in reversed(list(enumerate(reversed(speeds)))):
        estimate = estimate.updated(kbps, source, NOW - age_s - newer * apart_s, CONFIG)
    return estimate
