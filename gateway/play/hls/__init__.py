"""The HLS part of the request path: between decisions and multivariant playlists.

``ladder`` turns a playlist's variants into rungs, ``edit`` turns kept rungs into an edit of the
playlist, and ``manifest`` reads and writes whole manifests. The rules of the format itself are in
``manifests/hls``.
"""
