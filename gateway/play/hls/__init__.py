"""HLS as the gateway sees it: the only package of the gateway that knows the format.

``ladder`` reads rungs off a playlist, ``edit`` turns kept rungs into an edit of it, ``manifest``
reads and writes whole manifests. The rules of the format itself are in ``manifests/hls``.
"""
