import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.contracts.tables import CONTRACTS
from ingest.protection.names import NameIndex, heading_identity, identity_columns
from ingest.protection.pseudonyms import Pseudonymizer, canonical_name, fingerprint, is_id
from tests.support.examples import examples

KEY = Pseudonymizer(b"key of a test")


def _replaced(name, text):
    index = NameIndex(KEY)
    index.add(name)
    return index.replace(text)


@pytest.mark.parametrize(
    "text",
    [
        "Oda Ravensholt", "Ravensholt, Oda", "ODA RAVENSHOLT", "oda.ravensholt", "Ravensholt Oda", "O. Ravensholt",
        "Ravensholt, O.", "Oda_Ravensholt.csv", "oda-ravensholt", "Ravensholt", "Frau Ravensholt kann nicht",
        "Ravensholt's iPad",
    ],
)  # fmt: skip
def test_every_spelling_of_a_name_is_replaced(text):
    for name in ("Ravensholt, Oda", "Oda Ravensholt"):
        replaced = _replaced(name, f"for {text} today")
        assert "ravensholt" not in replaced.lower()
        assert KEY.pseudonym(name) in replaced


def test_the_name_in_an_address_is_found_too():
    assert "ravensholt" not in _replaced("oda.ravensholt@pharma.example", "Oda Ravensholt said").lower()


@pytest.mark.parametrize(
    "name",
    [
        "山田 太郎",
        "山田太郎",
        "김민준",
        "Иванова, Анна",
        "Þórsdóttir, Björk",
        "O'Brien, Seán",
        "Nguyễn Văn An",
    ],
)
def test_names_in_any_script_are_replaced(name):
    parts = [part for part in name.replace(",", " ").split() if len(part) > 2]
    replaced = _replaced(name, f"デバイス {name} のエラー / {name.upper()}")
    assert not [part for part in parts if part.casefold() in replaced.casefold()]


def test_common_words_are_kept_unless_the_full_name_is_meant():
    index = NameIndex(KEY)
    index.add("Field, Mark")
    assert index.replace("Mark the Field as required") == "Mark the Field as required"
    assert "Field" not in index.replace("Mark Field cannot sync")


@settings(max_examples=examples(100))
@given(
    first=st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=9).map(str.title),
    last=st.text("abcdefghijklmnopqrstuvwxyzäöüéñ", min_size=5, max_size=12).map(str.title),
    form=st.sampled_from(["{f} {l}", "{l}, {f}", "{f}.{l}", "{l} {f}", "{f}_{l}"]),
    before=st.sampled_from(["", "user ", "(", "name="]),
)
def test_full_names_never_stay(first, last, form, before):
    text = f"{before}{form.format(f=first, l=last)}) failed"
    replaced = _replaced(f"{last}, {first}", text)
    assert form.format(f=first, l=last) not in replaced
    assert KEY.pseudonym(f"{first} {last}") in replaced


@settings(max_examples=examples(100))
@given(st.text(max_size=30))
def test_pseudonyms_are_stable(name):
    pseudonym = KEY.pseudonym(name)
    assert KEY.pseudonym(pseudonym) == pseudonym
    assert KEY.pseudonym(f"  {name.upper().lower()}  ") == KEY.pseudonym(name.upper().lower())
    mark = fingerprint(b"key", name)
    assert len(mark) == 12
    assert not mark.isdigit()


def test_a_name_has_one_form():
    assert canonical_name(" Huber,  Mia ") == canonical_name("mia HUBER") == "mia huber"


@pytest.mark.parametrize(
    "cell",
    [
        "41300",
        "V5X000000000001",
        "0055g00000AbCdE",
        "0055g00000AbCdEAAV",
        "7f3a1c52-1b7e-4d7c-9d7e-2f0c6a1b2c3d",
        "41300, 41301",
    ],
)
def test_ids_of_users_stay(cell):
    assert is_id(cell)


@pytest.mark.parametrize(
    "cell", ["christophmeier1", "Mia Huber", "mhuber", "mia@example.com", "MHUBER1985EXAMP"]
)
def test_user_names_are_no_ids(cell):
    assert not is_id(cell)


@pytest.mark.parametrize(
    ("heading", "identity"),
    [
        ("Rep Name", "name"), ("user_name", "name"), ("userName", "name"), ("Owner.Username", "name"),
        ("created_by__vr.username__sys", "name"), ("@usr.name", "name"), ("Reported By", "name"), ("E-Mail", "name"),
        ("email__sys", "name"), ("Mitarbeiter", "name"), ("Benutzername", "name"), ("担当者", "name"),
        ("氏名", "name"), ("Пользователь", "name"),
        ("record.user_profile.name", "name"), ("user_profile.real_name", "name"), ("Profile Name", None),
        ("Application Profile Name", None), ("security_profile.name", None), ("Owner.Profile.Name", None),
        ("first_name__sys", "name"), ("on_behalf_of", "name"), ("User ID", "name"), ("Last Modified By", "name"),
        ("client_ip", "address"), ("Source IP", "address"), ("x-forwarded-for", "address"), ("Phone Number", "phone"),
        ("Object Name", None), ("Field Name", None), ("Error Message", None), ("record_id", None), ("Device", None),
        ("app_version", None), ("execution_id", None), ("Name", "doubtful"),
    ],
)  # fmt: skip
def test_headings_of_users_are_known(heading, identity):
    assert heading_identity(heading, "sync_error") == identity


def test_identity_columns_are_columns_of_their_tables():
    for table, contract in CONTRACTS.items():
        assert identity_columns(table, {}) <= set(contract.names)


def test_every_column_with_a_users_heading_is_an_identity_column():
    for table, contract in CONTRACTS.items():
        for column in contract.columns:
            is_text = column.kind == "text" and not table.startswith("engine_truth")
            if is_text and heading_identity(column.name, table) == "name":
                assert column.name in identity_columns(table, {}), (table, column.name)


def test_audited_names_of_users_are_identities():
    row = {"kind": "user", "field": "first_name__sys"}
    assert identity_columns("config_change", row) >= {"changed_by", "target", "before", "after"}
    assert identity_columns("config_change", {"kind": "vmoc", "field": "where_clause__v"}) == {"changed_by"}
