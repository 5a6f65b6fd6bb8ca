"""Zones that Vault names by a picklist value become IANA names; nothing else changes."""

from __future__ import annotations

from zoneinfo import available_timezones

import pytest

from ingest.mapping.time_zones import read_time_zone
from sync_engine.vault_api.objects import format_time_zone


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("america_new_york__sys", "America/New_York"),
        ("america_indianapolis__sys", "America/Indianapolis"),
        ("asia_tokyo__sys", "Asia/Tokyo"),
        ("europe_london__v", "Europe/London"),
        ("Europe/Paris", "Europe/Paris"),
        ("mars_olympus__sys", "mars_olympus__sys"),
        ("", ""),
        (None, None),
    ],
)
def test_a_zone_is_read(text: str | None, expected: str | None) -> None:
    assert read_time_zone(text) == expected


def test_every_city_keeps_its_name_through_the_served_vault() -> None:
    cities = {name for name in available_timezones() if name.count("/") == 1 and not name.startswith("Etc")}
    assert {read_time_zone(format_time_zone(name)) for name in cities} == cities
