"""The users and records of a simulated Vault: territories, accounts, reps and their devices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from sync_engine.json_docs import JsonDict
from sync_engine.vault import records
from sync_engine.vault.permissions import permission_set
from sync_engine.vault.state import Vault

PERMISSION_SETS = ("crm_field_rep__c", "crm_key_account__c", "crm_msl__c")
COUNTRIES = {
    # country: time zone, hours from UTC (without daylight saving time), language, first and last names
    "US": ("America/New_York", -5, "en", ("Mary", "James", "Linda", "David"), ("Smith", "Nguyen", "Brown")),
    "DE": ("Europe/Berlin", 1, "de", ("Anna", "Jürgen", "Lena", "Felix"), ("Müller", "Schäfer", "Weiß")),
    "ES": ("Europe/Madrid", 1, "es", ("Lucía", "Javier", "Carmen", "Álvaro"), ("García", "Núñez", "Ibáñez")),
    "JP": ("Asia/Tokyo", 9, "ja", ("Yuki", "Haruto", "Sakura", "Kenji"), ("Sato", "Suzuki", "Tanaka")),
    "BR": ("America/Sao_Paulo", -3, "pt", ("Ana", "João", "Beatriz", "Caio"), ("Souza", "Araújo", "Lima")),
}
MODELS = {
    "iPad": (("iPad Pro 11", "iPad Air 5", "iPad 9"), ("17.6.1", "18.1", "18.5")),
    "iPhone": (("iPhone 13", "iPhone 15"), ("17.6.1", "18.5")),
    "Windows": (("Surface Pro 9", "Latitude 7440"), ("10.0.22631", "10.0.26100")),
}
CITIES = ("Springfield", "München", "Sevilla", "Osaka", "Campinas", "Graz", "Lyon", "Porto")


@dataclass(frozen=True, slots=True, kw_only=True)
class RepProfile:
    """A user with one device, as drawn for a fleet."""

    user_id: str
    device_id: str
    platform: str
    model: str
    os_version: str
    version: str
    utc_hours: int
    territory: str
    refresh_mode: bool


def populate_vault(
    vault: Vault, rng: Random, device_count: int, at: float, options: JsonDict
) -> list[RepProfile]:
    """Fill an empty Vault with users and records drawn from `rng`."""
    with vault.transaction():
        for name in PERMISSION_SETS:
            vault.configure("permission_set", name, permission_set(name))
        products = [_add_product(vault, n, at) for n in range(8)]
        profiles = _draw_profiles(vault, rng, device_count, options)
        for territory in sorted({profile.territory for profile in profiles}):
            _add_accounts(vault, rng, territory, products, options.get("accounts_per_territory", 24), at)
        vault.publish()
    return profiles


def _add_product(vault: Vault, n: int, at: float) -> str:
    name = ("Cholecap", "Nyaxa", "Verolin", "Restora", "Gludacta", "Labrinone", "Zolatrex", "Immunadin")[n]
    doc = {"name__v": name, "status__v": "active__v"}
    return records.insert(vault, "product__v", doc, at=at, by="System").id


def _draw_profiles(vault: Vault, rng: Random, device_count: int, options: JsonDict) -> list[RepProfile]:
    versions = options.get("versions", ["252.0.114", "252.0.121", "253.0.100"])
    platforms = options.get("platforms", ["iPad"] * 7 + ["iPhone"] * 2 + ["Windows"])
    profiles: list[RepProfile] = []
    for n in range(device_count):
        platform = rng.choice(platforms)
        second = n % 9 == 8 and profiles[-1].platform != platform
        if second:
            user_id, territory, hours = profiles[-1].user_id, profiles[-1].territory, profiles[-1].utc_hours
        else:
            user_id, territory, hours = _add_user(vault, rng, n)
        models, systems = MODELS[platform]
        profiles.append(
            RepProfile(
                user_id=user_id,
                device_id=f"{platform.lower()}-{rng.getrandbits(40):010x}",
                platform=platform,
                model=rng.choice(models),
                os_version=rng.choice(systems),
                version=rng.choice(versions),
                utc_hours=hours,
                territory=territory,
                refresh_mode=rng.random() < options.get("refresh_mode_share", 0.35),
            )
        )
    return profiles


def _add_user(vault: Vault, rng: Random, n: int) -> tuple[str, str, int]:
    country = rng.choice(list(COUNTRIES))
    zone, hours, language, first, last = COUNTRIES[country]
    user_id = f"{1_000_200 + n}"
    territory = f"{country}-{1 + n % 60 // 4:02d}"
    name = f"{rng.choice(first)} {rng.choice(last)}"
    doc = {
        "id": user_id,
        "name": name,
        "email": f"user{n:04d}@example.com",
        "active": True,
        "locked": False,
        "password": f"p{rng.getrandbits(32):08x}",
        "password_expired": False,
        "permission_set": rng.choices(PERMISSION_SETS, (6, 3, 1))[0],
        "security_profile": rng.choice(("field_rep__c", "manager__c")),
        "application_profile": rng.choice(("primary_care__c", "specialty__c")),
        "territories": [territory],
        "country": country,
        "time_zone": zone,
        "language": language,
    }
    vault.configure("user", user_id, doc)
    return user_id, territory, hours


def _add_accounts(  # noqa: PLR0917
    vault: Vault, rng: Random, territory: str, products: list[str], count: int, at: float
) -> None:
    _, _, _, first, last = COUNTRIES[territory[:2]]
    for _ in range(count):
        account = records.insert(
            vault,
            "account__v",
            {
                "name__v": f"Dr {rng.choice(first)} {rng.choice(last)}",
                "specialty__v": rng.choice(
                    ["cardiology__v", "oncology__v", "neurology__v", "primary_care__v"]
                ),
                "phone__v": f"+{rng.randint(10**9, 10**10 - 1)}",
                "npi__v": f"{rng.randint(10**9, 10**10 - 1)}",
                "status__v": "active__v",
                "territory__v": territory,
            },
            at=at,
            by="System",
        )
        for object_name, doc in _account_records(rng, account.id, at):
            records.insert(vault, object_name, doc, at=at, by="System")


def _account_records(rng: Random, account: str, at: float) -> list[tuple[str, JsonDict]]:
    day = datetime.fromtimestamp(at - 86400 * rng.randint(1, 60), UTC).date().isoformat()
    city = rng.choice(CITIES)
    return [
        ("address__v", {"account__v": account, "name__v": f"{rng.randint(1, 200)} Main St", "city__v": city}),
        ("tsf__v", {"account__v": account, "my_target__v": rng.random() < 0.5, "calls_goal__v": 6}),
        ("call2__v", {"account__v": account, "call_date__v": day, "status__v": "submitted__v"}),
    ]
