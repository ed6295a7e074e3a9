"""Redis and its stand-ins: what the gateway remembers between requests, shared by its workers."""
