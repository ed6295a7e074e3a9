"""How long may the search for garbage hold players up? About as long as one cold request takes.

Nearly everything is freed the moment that nobody refers to it any more. The search is for what
refers to itself in a circle, and requests leave no such thing behind. What they do leave is caches
of some hundred thousand objects, and Python's own thresholds look at all of them every few
thousand requests: up to a fifth of the time, and 250 ms at once, in which nobody is answered and
the store's deadline of 20 ms passes. So the young are looked at often and few at a time, and all
of them rarely.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 1_000
"""So many new objects are looked at, in less than 1 ms."""
MIDDLE = 5
"""After so many looks, those who have survived are looked at once more: 6,000, in 2 to 3 ms."""
OLD = 1_000
"""And after so many of these, all: once in five million objects that stayed."""


@contextmanager
def left_out() -> Iterator[None]:
    """What is made meanwhile (modules, the application) is never looked at; the rest is as above.

    To look through what a start makes would take a tenth of it, and find 3 MB.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, OLD)
        gc.enable()
