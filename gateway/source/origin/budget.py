"""May this request be retried? Retries are limited to a share of requests, so that they cannot
multiply a load."""

RESERVE = 10.0
"""The initial number of retries, and the most that can be saved up."""


class RetryBudget:
    """Each first request earns ``share`` of a retry; each retry costs one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = RESERVE if share > 0 else 0.0

    def earn(self) -> None:
        """Record a first request."""
        self._left = min(RESERVE, self._left + self._share)

    def spend(self) -> bool:
        """Take one retry; False when none is left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
