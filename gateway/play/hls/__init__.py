"""The HLS part of the request path: between decisions and multivariant playlists.

``ladder`` turns a playlist's variants into rungs, ``edit`` turns kept rungs into an edit of the
playlist, ``manifest`` reads and writes whole manifests, and ``answer`` is what the request path
calls. The rules of the format itself are in ``manifests/hls``.
"""
