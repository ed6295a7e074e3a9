"""Sockets and processes: how the gateway listens. Only this package imports uvicorn."""
