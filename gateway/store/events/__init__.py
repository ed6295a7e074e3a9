"""Decision events: their format, their queue, and how their stream is read."""
