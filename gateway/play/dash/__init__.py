"""The DASH part of the request path: between decisions and MPDs.

``ladder`` turns the Representations of an MPD into rungs, and ``edit`` turns kept rungs into the
Representations that go. The rules of the format itself are in ``manifests/dash``.
"""
