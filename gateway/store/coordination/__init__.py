"""Messages between workers, and the state that they share: presence, health, leases,
registrations."""
