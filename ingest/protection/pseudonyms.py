"""Replace names and e-mail addresses with pseudonyms.

A pseudonym is an HMAC of the name with a key that stays on this machine; the same name has the same pseudonym in
every source. Case, spaces and the order "Last, First" do not matter. Record ids of users are kept: they join
tables, and identify no one by name.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import unicodedata
from dataclasses import dataclass, field

EMAIL = re.compile(r"[\w.+'-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+")
_IP = re.compile(
    r"(?<![\w.:-])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7})(?![\w.:]|-\w)"
)
_BEFORE_VERSION = re.compile(
    r"(?:version|\bv|build|release|app|ios|ipados|android|windows)[\s:/=]*$", re.IGNORECASE
)
_ID = re.compile(
    r"[0-9]+|(?:[0-9][0-9A-Za-z]{14}(?:[0-9A-Za-z]{3})?|[0-9A-Z]{15}(?:[0-9A-Z]{3})?)"
    r"|[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
)
_IDS = re.compile(rf"(?:{_ID.pattern})(?:\s*[,;|]\s*(?:{_ID.pattern}))*")
_FEWEST_DIGITS = 6
"""Digits of a record id in letters and digits; a user name has fewer."""
_PSEUDONYM = re.compile(r"(?:person|ip)-[0-9a-f]{12}")
_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Pseudonymizer:
    """Replaces names with pseudonyms; the key never shows in a repr."""

    key: bytes = field(repr=False)

    def pseudonym(self, name: str) -> str:
        """Return the pseudonym of a name or e-mail address; a pseudonym is its own pseudonym."""
        return name if _PSEUDONYM.fullmatch(name) else f"person-{fingerprint(self.key, canonical_name(name))}"

    def address_pseudonym(self, address: str) -> str:
        """Return the pseudonym of an IP address."""
        address = address.strip().casefold()
        return address if _PSEUDONYM.fullmatch(address) else f"ip-{fingerprint(self.key, address)}"

    def replace_emails(self, text: str) -> str:
        """Replace each e-mail address in a text with its pseudonym."""
        if "@" not in text and "%40" not in text:
            return text
        return EMAIL.sub(lambda match: self.pseudonym(match[0].replace("%40", "@")), text)

    def replace_addresses(self, text: str) -> str:
        """Replace each IP address in a text with its pseudonym; versions of four numbers stay."""

        def replacement(match: re.Match[str]) -> str:
            if not _is_address(match[0]) or _BEFORE_VERSION.search(text[: match.start()][-24:]):
                return match[0]
            return self.address_pseudonym(match[0])

        return _IP.sub(replacement, text)


def fingerprint(key: bytes, text: str) -> str:
    """Return the first hexadecimal digits of the HMAC of a text that have both digits and letters.

    Texts with such a mark group alike: grouping masks words of letters and digits.
    """
    digest = hmac.new(key, text.encode("utf-8", "replace"), "sha256").hexdigest()
    windows = (digest[start : start + _LENGTH] for start in range(len(digest) - _LENGTH + 1))
    return next((each for each in windows if not each.isdigit() and not each.isalpha()), digest[:_LENGTH])


def canonical_name(name: str) -> str:
    """Return the form of a name that all its spellings share: "Huber, Mia" is "mia huber"."""
    words = unicodedata.normalize("NFKC", name).casefold().split()
    plain = " ".join(words)
    last, comma, first = plain.partition(",")
    return f"{first.strip()} {last.strip()}" if comma and first.strip() and "," not in first else plain


def is_id(cell: str) -> bool:
    """Return whether a cell is the id of a user, or a list of ids: those stay."""
    cell = cell.strip()
    if not _IDS.fullmatch(cell):
        return False
    return all(
        sum(map(str.isdigit, each)) >= min(_FEWEST_DIGITS, len(each))
        for each in re.split(r"\s*[,;|]\s*", cell)
    )


def _is_address(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.version == 4 or len(text) > 6
