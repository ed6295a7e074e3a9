"""What the store keeps so that it need not be computed or fetched again."""
