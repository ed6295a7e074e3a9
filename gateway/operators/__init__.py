"""Who has signed in, what operators do, and what is remembered of it."""
