"""Decision events: what one says, the queue that it waits in, and how a stream of them is read."""
