"""Metrics as they are shown."""

from gateway.observe import metrics


def test_an_exposition_is_up_to_date() -> None:
    """Whoever asks for metrics sees what was counted before."""
    metrics.decisions("profile-of-this-test", "tv", "local").inc()
    metrics.request_seconds("route-of-this-test").observe(0.3)
    shown = metrics.exposition().decode().splitlines()
    assert (
        'gateway_decisions_total{cache="local",device="tv",profile="profile-of-this-test"} 1.0'
        in shown
    )
    assert 'gateway_request_seconds_sum{route="route-of-this-test"} 0.3' in shown
