"""Requests, checked field by field, as the service's own terms."""
