"""Signed URLs: one module for each scheme by which edges check them."""
