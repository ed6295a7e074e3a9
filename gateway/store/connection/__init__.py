"""How the gateway reaches Redis: connections, pipelining, deadlines, and a store without Redis."""
