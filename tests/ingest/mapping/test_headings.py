import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.mapping.headings import fold_heading, same_folding, strip_suffix
from ingest.readers.rows import RawRow, RowSource
from tests.support.examples import examples

SCRIPTS = {
    "Latin": "abcdefghijklmnopqrstuvwxyz",
    "Greek": "αβγδεζηθικλμνξοπρτυφχψω",
    "Cyrillic": "абвгдежзийклмнопрстуфхцчшщыэюя",
    "Japanese": "日時端末利用者発生がかぎきエラーコド",
    "Chinese": "用户设备消息错误代码状态",
    "Korean": "사용자장치메시지오류",
    "Arabic": "رسالةخطأجهاز",
    "Hebrew": "הודעהשגיאהמכשיר",
    "Hindi": "संदेशत्रुटिडिवाइस",
    "Thai": "ข้อความผิดพลาด",
}


@settings(max_examples=examples(300), deadline=None)
@given(st.text())
def test_folding_twice_changes_nothing(name):
    assert fold_heading(fold_heading(name)) == fold_heading(name)


@settings(max_examples=examples(100), deadline=None)
@given(st.text())
def test_spellings_of_one_name_fold_alike(name):
    folded = fold_heading(name)
    for spelling in (f"  {name} ", unicodedata.normalize("NFD", name), name.replace(" ", "_"), f'"{name}":'):
        assert fold_heading(spelling) == folded


def names_in(script):
    letters = [letter for letter in SCRIPTS[script] if unicodedata.category(letter)[0] == "L"]
    return st.builds(str.__add__, st.sampled_from(letters), st.text(SCRIPTS[script], max_size=12))


@settings(max_examples=examples(200), deadline=None)
@given(
    st.permutations(sorted(set(SCRIPTS) - {"Chinese"})).flatmap(lambda s: st.tuples(*map(names_in, s[:2])))
)
def test_names_in_distinct_scripts_stay_distinct(names):
    one, other = map(fold_heading, names)
    assert one and other and one != other


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(sorted(SCRIPTS)), st.data())
def test_letters_of_every_script_are_kept_in_order(script, data):
    letters = [letter for letter in SCRIPTS[script] if unicodedata.category(letter) == "Lo"]
    if not letters:
        letters = list(SCRIPTS[script])
    one, other = (data.draw(st.text(letters, min_size=1, max_size=10)) for _ in range(2))
    assert (fold_heading(one) == fold_heading(other)) == (one == other)


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        (("Gerät", "GERÄT", "Ge-rät", "Gera\u0308t"), "gerat"),
        (("Straße", "STRASSE"), "strasse"),
        (("Użytkownik", "użytkownik "), "uzytkownik"),
        (("KULLANICI", "Kullanıcı", "kullanıcı"), "kullanici"),
        (("ＥＲＲＯＲ　Ｃｏｄｅ", "error_code", "Error Code:"), "errorcode"),
        (("エラーコード", "ｴﾗｰｺｰﾄﾞ"), "エラーコード"),
        (("Тип ошибки", "ТИП_ОШИБКИ"), "типошибки"),
    ],
)
def test_the_stated_rule(names, folded):
    assert {fold_heading(name) for name in names} == {folded}


@pytest.mark.parametrize(
    ("one", "other"),
    [("かぎ", "がき"), ("Имя", "Имй"), ("発生日時", "利用者"), ("설명", "상태"), ("消息", "代码")],
)
def test_letters_that_a_mark_distinguishes_stay_different(one, other):
    assert fold_heading(one) != fold_heading(other)


def test_names_that_fold_alike_are_listed_with_every_spelling():
    assert same_folding(["Error Code", "user", "error_code", "%", "—", "user"]) == {
        "errorcode": ["Error Code", "error_code"]
    }


def test_only_vaults_suffixes_are_stripped():
    assert [strip_suffix(name) for name in ("name__v", "a__c", "a__sys", "a__vod")] == [
        "name",
        "a",
        "a",
        "a__vod",
    ]


def test_peeking_consumes_nothing():
    source = RowSource("a.csv", ["a"], iter([RawRow(number, {"a": str(number)}) for number in range(1, 6)]))
    assert [row.number for row in source.peek(2)] == [1, 2]
    assert [row.number for row in source.peek(9)] == [1, 2, 3, 4, 5]
    assert [row.number for row in source.rows] == [1, 2, 3, 4, 5]
    assert source.peek(3) == []
