"""Hypothesis strategies for the text of cells."""

import hypothesis.strategies as st

from ingest import CellFormat
from ingest.contracts.cell_format import VAULT_FORMAT
from ingest.contracts.cell_values import INTEGER, ISO_TIME, LOCAL_TIME, NEGATIVE, NUMBER

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
ALMOST_ISO_TIME = (
    r"20[0-2][0-9]-0[1-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9](\.[0-9]{1,9})?)?"
    r"( ?(Z|[+-][01][0-9]:?[0-9]{2}))?"
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=90)
PATTERNS = (ISO_TIME, LOCAL_TIME, INTEGER, NUMBER, NEGATIVE, ALMOST_ISO_TIME)
CELLS = st.one_of(st.sampled_from(EDGE_CASES), TEXTS, *(st.from_regex(p, fullmatch=True) for p in PATTERNS))
