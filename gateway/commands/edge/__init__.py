"""Edges as operators handle them: ``gateway edge register | drain | undrain | list``."""
