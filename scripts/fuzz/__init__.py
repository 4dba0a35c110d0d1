"""Careless and hostile callers: requests that are changed at random, and what the service makes of them."""
