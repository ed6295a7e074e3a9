"""Signs what the gateway hands out, and verifies what it gets back."""
