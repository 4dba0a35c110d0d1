"""Edit directions as they are published."""
