"""Pasted messages, text recognized in screenshots, and mails: one error for each entry, none for the text around."""

from datetime import UTC, datetime
from email.message import EmailMessage

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from ingest import SourceUnreadable
from ingest.readers.detect import open_sources
from ingest.readers.mail import read_mail
from ingest.readers.pasted_text import read_pasted_text
from ingest.readers.rows import RowSource, SkippedPart
from tests.support.examples import examples


def messages(text):
    return [row.cells["message"] for row in read_pasted_text(text.split("\n"), "a.txt").rows]


def mail(body, *, subtype="plain", charset="utf-8", **headers):
    message = EmailMessage()
    message["From"] = headers.get("sender", '"Roe, Rita" <rita.roe@example.org>')
    message["To"] = "support@example.org"
    message["Subject"] = headers.get("subject", "Sync")
    message["Date"] = "Mon, 02 Mar 2026 09:30:00 +0100"
    message.set_content(body, subtype=subtype, charset=charset)
    return message


def mail_messages(message):
    source, _ = read_mail(message.as_bytes(), "a.eml")
    return [row.cells["message"] for row in source.rows]


class TestErrorsTab:
    def test_entries_are_parted_and_their_broken_lines_joined(self):
        text = (
            "Errors (2)          2 Mar 2026 09:12\n\nSample Drop                    Dr. Ada Lund\nSD-004411\n"
            "The lot is not available on this\ndevice\n                  Undo\n\nCall                  Dr. Bo Falk\n"
            "Validation rule: an end time is\nrequired\n                  Undo   Retry\n"
        )
        assert messages(text) == [
            "The lot is not available on this device",
            "Validation rule: an end time is required",
        ]

    @pytest.mark.parametrize(
        ("head", "button"),
        [("Fehler (1)", "Rückgängig"), ("Erreurs (1)", "Annuler"), ("エラー (1)", "元に戻す")],
    )
    def test_buttons_and_heads_in_other_languages_are_no_errors(self, head, button):
        assert messages(f"{head}\n\nCall        Ada Lund\nRecord is locked\n        {button}\n") == [
            "Record is locked"
        ]

    def test_a_record_number_and_the_object_are_cells(self):
        (row,) = read_pasted_text(
            ["Visit      Ada Lund", "V-00099", "Record is locked", "   Undo"], "a.txt"
        ).rows
        assert (row.cells["object"], row.cells["record_id"]) == ("Visit", "V-00099")

    def test_a_list_of_messages_has_one_for_each_line(self):
        lines = [
            "No Edit permission on object visit__v",
            "database or disk is full",
            "The request timed out.",
        ]
        assert messages("\n".join(lines)) == lines

    @pytest.mark.parametrize("at", range(2, 8))
    def test_a_broken_sentence_is_one_message(self, at):
        words = ["You", "do", "not", "have", "Edit", "permission", "on", "the", "field", "sample_lot__v"]
        broken = " ".join(words[:at]) + "\n" + " ".join(words[at:])
        expected = 1 if len(" ".join(words[:at])) >= 20 else 2
        assert len(messages(broken)) <= expected

    def test_prose_without_errors_is_refused_for_a_load(self):
        source = read_pasted_text(["Shopping list", "apples", "pears"], "a.txt")
        assert source.refusal
        assert len(list(source.rows)) == 3


class TestMail:
    def test_quoted_messages_are_the_errors(self):
        body = (
            "Hello team,\n\nmy tablet shows:\n\n> Lot 17-B is\n> not available\n\nand then\n"
            "\n> Record is locked\n\nKind regards\nRita Roe\nField rep\n+49 1\n\n"
            "Sent from my iPad\n"
        )
        source, _ = read_mail(mail(body).as_bytes(), "a.eml")
        rows = list(source.rows)
        assert [row.cells["message"] for row in rows] == ["Lot 17-B is not available", "Record is locked"]
        assert {row.cells["user_id"] for row in rows} == {"rita.roe@example.org"}
        assert (source.document_time, source.document_time_source) == (
            datetime(2026, 3, 2, 8, 30, tzinfo=UTC),
            "the date of the mail",
        )

    @pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
    def test_text_is_decoded(self, charset):
        assert mail_messages(
            mail("Hallo,\n\n> Zeitüberschreitung beim Hochladen\n\nGruß\nJörg", charset=charset)
        ) == ["Zeitüberschreitung beim Hochladen"]

    def test_html_is_read_as_text(self):
        html = (
            "<html><head><style>p{}</style></head><body><p>Hi,</p><p>I get</p>"
            "<blockquote>Record &lt;V1&gt; is locked</blockquote><p>Thanks<br>Rita</p></body>"
            "</html>"
        )
        assert mail_messages(mail(html, subtype="html")) == ["Record <V1> is locked"]

    def test_an_error_in_a_quoted_mail_is_read_and_its_headers_are_not(self):
        body = (
            "Please help.\n\nRegards\nSupport\n\n-----Original Message-----\nFrom: Rita\n"
            "Sent: Monday\nSubject: Sync\n\n"
            "INSUFFICIENT_ACCESS: no Edit permission on visit__v\n\nRegards\nRita"
        )
        assert mail_messages(mail(body)) == ["INSUFFICIENT_ACCESS: no Edit permission on visit__v"]

    def test_a_thread_with_quotes_is_read_like_its_mails(self):
        body = (
            "Any news?\n\nOn Mon, 2 Mar 2026, Rita wrote:\n> Hello,\n>\n"
            "> it is DUPLICATE_VALUE: duplicate value on visit__v\n>\n> Regards\n> Rita"
        )
        assert mail_messages(mail(body)) == ["it is DUPLICATE_VALUE: duplicate value on visit__v"]

    def test_without_a_marked_message_the_text_is_one(self):
        assert mail_messages(
            mail("Hi,\n\nnothing happens since Monday\nafter the new policy.\n\nThanks\nRita")
        ) == ["nothing happens since Monday after the new policy."]

    def test_attachments_are_read_as_files(self, tmp_path):
        message = mail("Hi,\n\nsee the files.\n\nRita")
        message.add_attachment(
            b"time,message\n2026-03-02T08:00:00Z,Record is locked\n",
            maintype="text",
            subtype="csv",
            filename="../errors.csv",
        )
        message.add_attachment(
            b"\x89PNG\r\n\x1a\n" + b"0" * 90, maintype="image", subtype="png", filename="screen.png"
        )
        path = tmp_path / "a.eml"
        path.write_bytes(message.as_bytes())
        parts = [
            (part, list(part.rows) if isinstance(part, RowSource) else []) for part in open_sources(path)
        ]
        tables = [(part.name, [row.cells["message"] for row in rows]) for part, rows in parts if rows]
        assert tables == [("a.eml#errors.csv", ["Record is locked"])]
        (skipped,) = [part for part, _ in parts if isinstance(part, SkippedPart)]
        assert skipped.name == "a.eml#screen.png"
        assert skipped.next_step

    def test_a_mail_of_outlook_is_refused_with_the_way_on(self, tmp_path):
        name = "__substg1.0_1000001F".encode("utf-16-le")
        (tmp_path / "a.msg").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + name)
        with pytest.raises(SourceUnreadable, match="Outlook") as refused:
            list(open_sources(tmp_path / "a.msg"))
        assert ".eml" in refused.value.next_step

    def test_each_mail_of_a_mailbox_is_a_source(self, tmp_path):
        path = tmp_path / "box.mbox"
        texts = [
            b"From a@example.org Mon Mar  2 09:30:00 2026\n" + mail(f"> {text}").as_bytes() + b"\n"
            for text in ("Record is locked", "Token expired")
        ]
        path.write_bytes(b"".join(texts))
        sources = [(part.name, [row.cells["message"] for row in part.rows]) for part in open_sources(path)]
        assert sources == [("box.mbox#1", ["Record is locked"]), ("box.mbox#2", ["Token expired"])]


@given(st.binary(max_size=400))
@settings(max_examples=examples(100), deadline=None)
def test_any_bytes_are_read_as_a_mail_without_a_crash(content):
    source, _ = read_mail(b"From: a@example.org\nSubject: x\nDate: " + content, "a.eml")
    assert all(isinstance(row.cells["message"], str) for row in source.rows)


@given(st.lists(st.text("ab.-> \t()[]:0Undo", max_size=30), max_size=12))
@settings(max_examples=examples(100), deadline=None)
def test_any_lines_are_read_as_pasted_text_without_a_crash(lines):
    assert all(row.cells["message"].strip() for row in read_pasted_text(lines, "a.txt").rows)
