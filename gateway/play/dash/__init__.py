"""The DASH part of the request path: between decisions and MPDs.

``ladder`` turns the Representations of an MPD into rungs, and ``edit`` turns kept rungs into the
Representations that go. ``manifest`` reads MPDs, ``refresh`` pins what was decided in the URL of
the next request, ``steering`` names several edges, and ``answer`` writes the MPD. The rules of the
format itself are in ``manifests/dash``.
"""
