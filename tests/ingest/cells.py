"""Hypothesis strategies for the text of cells."""

import hypothesis.strategies as st

from ingest import CellFormat
from ingest.contracts.cell_format import VAULT_FORMAT

FORMATS = [
    VAULT_FORMAT,
    CellFormat("Europe/Berlin"),
    CellFormat("America/New_York", "dmy"),
    CellFormat("UTC", "mdy"),
]
EDGE_CASES = [
    "",
    " ",
    "\u00a0",
    "null",
    '"null"',
    "true",
    "YES",
    "1.0",
    "0",
    "-3",
    "1,234",
    "12,5",
    "1e5",
    "1e999",
    "4.5",
    "٣",
]
INTEGER = r"\+?[0-9]{1,18}(\.0{0,9})?"
NEGATIVE = r"-[0-9]{1,18}([.,][0-9]{0,18})?"
NUMBER = r"\+?([0-9]{1,18}([.,' ][0-9]{0,18})?|[.,][0-9]{1,18})([eE][+-]?[0-9]{1,2})?( ?(s|ms|%|min))?"
_CLOCK = r"[0-2]?[0-9]:[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,9})?)?"
LOCAL_TIME = rf"[0-3]?[0-9][./-][0-3]?[0-9][./-](20)?2[0-9],?( {_CLOCK}( [AaPp][Mm])?( PST| CST)?)?"
ISO_TIME = (
    rf"20[0-9]{{2}}[-/][0-9]{{1,2}}[-/][0-9]{{1,2}}([T ]{_CLOCK}( ?(Z|[+-][0-9]{{2}}(:?[0-9]{{2}})?))?)?"
)
WORDS = (
    r"(WAHR|falsch|oui|Non|SÍ|1[.,]0+|(18|3) (Nov|nov\.|März|oct) 2026|1[.,][0-9]{3}"
    r"|46[0-9]{3}([.,][0-9]{1,5})?|176[0-9]{7}([0-9]{3})?)"
)
ALMOST_ISO_TIME = (
    r"20[0-2][0-9]-0[1-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\.[0-9]{1,9})?)?"
    r"( ?(Z|[+-][01][0-9]:?[0-9]{2}))?"
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=90)
PATTERNS = (WORDS, ISO_TIME, LOCAL_TIME, INTEGER, NUMBER, NEGATIVE, ALMOST_ISO_TIME)
CELLS = st.one_of(st.sampled_from(EDGE_CASES), TEXTS, *(st.from_regex(p, fullmatch=True) for p in PATTERNS))
