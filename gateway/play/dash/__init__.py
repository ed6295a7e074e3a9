"""The DASH part of the request path: between decisions and MPDs.

``manifest`` reads MPDs. ``ladder`` turns Representations into rungs (``entries`` and ``serves``
say what each is), and ``edit`` turns kept rungs into the Representations that go. ``answer`` is
the MPD of one decision, ``refresh`` pins what was decided in the URL of the next request,
``steering`` names several edges, and ``written`` makes the bytes. ``bits`` packs sets for what is
signed. With class manifests,
``client_class`` says to which class a viewer belongs, ``class_draft`` is the MPD of a class, and
``class_answer`` answers its refreshes. The rules of the format itself are in ``manifests/dash``.
"""
