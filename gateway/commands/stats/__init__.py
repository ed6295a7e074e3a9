"""Live shares per edge, profile and country, read from decision events (``gateway stats``)."""
