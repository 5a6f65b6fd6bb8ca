"""The device side: a local database, an outbox, an Errors tab, and the five kinds of sync."""

from sync_engine.device.client import Device

__all__ = ["Device"]
