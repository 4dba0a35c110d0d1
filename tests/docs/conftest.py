"""A real service of the demo pack."""

from tests.fixtures.demo_service import address as address
