"""Operators and their keys: ``gateway operator key``."""
