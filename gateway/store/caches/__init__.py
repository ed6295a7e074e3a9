"""What the store remembers so that it need not be worked out or fetched again."""
