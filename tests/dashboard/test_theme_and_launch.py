"""Colors are readable in both themes, and the dashboard accepts local connections only."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import dashboard

THEME = tomllib.loads((dashboard.app_path().parent / ".streamlit" / "config.toml").read_text("utf-8"))[
    "theme"
]
NAMES = ("red", "orange", "green", "blue", "violet", "gray")


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
@pytest.mark.parametrize("text", ["textColor", "linkColor", *(f"{name}TextColor" for name in NAMES)])
def test_text_is_readable_on_the_page(theme, ground, text):
    assert contrast(THEME[theme][text], THEME[theme][ground]) >= 4.5


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", NAMES)
def test_a_badge_is_readable(theme, name):
    assert contrast(THEME[theme][f"{name}TextColor"], THEME[theme][f"{name}BackgroundColor"]) >= 4.5


def test_the_default_address_is_local():
    arguments = dashboard.streamlit_arguments(port=8600)
    assert arguments[:2] == ["run", str(dashboard.app_path())]
    assert "--server.address=localhost" in arguments
    assert "--server.port=8600" in arguments
    assert "--browser.gatherUsageStats=false" in arguments


def test_the_store_is_passed_by_its_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environment = dashboard.environment("some.duckdb", base={"HOME": "/nowhere"})
    assert environment == {"HOME": "/nowhere", "SYNCLENS_STORE": str(Path.cwd() / "some.duckdb")}
