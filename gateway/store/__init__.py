"""State that workers share, in Redis or in a store without Redis."""
