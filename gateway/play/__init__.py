"""One player's request becomes one reply. Knows neither ASGI nor uvicorn."""
