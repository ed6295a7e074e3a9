"""Sockets and processes: how the gateway listens. uvicorn is known here alone."""
