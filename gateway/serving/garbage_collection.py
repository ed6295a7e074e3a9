"""How often does the cyclic garbage collector run? Often over few young objects, rarely over all.

Reference counting frees nearly everything; requests leave no reference cycles behind. They do leave
caches of some hundred thousand objects. With Python's own thresholds the collector traverses all of
them every few thousand requests. Measured, that took up to a fifth of the CPU time and paused the
process for 250 ms, longer than the store's timeout of 20 ms.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

GENERATION_0 = 1_000
"""New objects between two collections of the youngest generation, each less than 1 ms."""
GENERATION_1 = 5
"""Those collections between two of the middle one: 6,000 objects, 2 to 3 ms."""
GENERATION_2 = 1_000
"""Those between two collections of everything: one for five million objects that survived."""


@contextmanager
def excluded_from_collection() -> Iterator[None]:
    """Keep what is made in this block, such as modules and the application, out of every later
    collection, and set the thresholds above.

    The collector is off meanwhile: it would take a tenth of a start and free 3 MB.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(GENERATION_0, GENERATION_1, GENERATION_2)
        gc.enable()
