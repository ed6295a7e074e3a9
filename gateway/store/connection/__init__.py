"""How the gateway reaches Redis: connections, pipelining, deadlines, and stand-ins without it."""
