"""Content steering: on which pathway should a running session play?

Pure code. ``query`` reads what a player reports, ``state`` is what travels in the RELOAD-URI,
``decide`` decides, ``budget`` keeps moves within the capacity of edges, and
``networks`` knows what other viewers measure. Requests are answered in
``gateway/play/steering.py``.
"""
