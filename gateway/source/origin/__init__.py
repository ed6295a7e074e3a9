"""Source manifests over HTTP, from origins that may be slow, fail or send garbage."""
