"""Certificates of the listeners: how they are read from files and checked. Knows no sockets."""
