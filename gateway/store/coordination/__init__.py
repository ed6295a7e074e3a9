"""What workers tell each other, and what they agree on: messages, presence, health, leases."""
