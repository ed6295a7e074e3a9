"""May this request be tried again? A share of requests, so that retries cannot multiply a load."""

RESERVE = 10.0
"""Retries that are always left after a quiet time, and the most that can be saved up."""


class RetryBudget:
    """Every first request earns ``share`` of a retry; every retry costs a whole one."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._left = RESERVE if share > 0 else 0.0

    def earn(self) -> None:
        """A first request is made."""
        self._left = min(RESERVE, self._left + self._share)

    def spend(self) -> bool:
        """Take one retry; False when there is none left."""
        if self._left < 1:
            return False
        self._left -= 1
        return True
