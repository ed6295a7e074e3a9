"""``gateway steer``: operators' overrides of steering."""
