"""What the gateway signs, and which of what comes back it trusts."""
