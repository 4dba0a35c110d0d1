from tests.fixtures.virtual_service import virtual_clock

__all__ = ["virtual_clock"]
