"""Who operates the gateway, and what may they do? All of it is pure."""
