"""What decides when a message has several kinds of evidence: the sentence, not what surrounds it."""

import pandas as pd
import pytest

import analysis


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        # A sentence outranks its envelope.
        ({"error_type": "SAVE_REFUSED", "message": "the host could not be reached"}, "network"),
        (
            {"message": "HTTP 412: an entry with this code is there already", "http_status": "412"},
            "duplicate-record",
        ),
        ({"message": "Network problem in Store(): you lack the right to add rows"}, "object-permission"),
        ({"message": "HTTP 500: The visit date lies in the future", "http_status": "500"}, "date-limit"),
        (
            {"message": "HTTP 409 - the disk of this tablet is full", "http_status": "409"},
            "device-storage-full",
        ),
        # A number is a status only beside a word for it.
        ({"message": "Order 404 was saved by another user in the meantime"}, "concurrent-change"),
        ({"message": "Customer 401 has been deleted"}, "record-deleted"),
        # Advice is no evidence.
        ({"message": "The product field is mandatory. Sign in again."}, "required-field"),
        ({"message": "This visit was deleted. Please try again later."}, "record-deleted"),
        # A stale base, a limit, a clock and something already done, in words.
        ({"message": "Someone saved this visit after you loaded it"}, "concurrent-change"),
        ({"message": "Title has over 80 characters"}, "invalid-value"),
        ({"message": "token dated 15 minutes ahead"}, "device-clock"),
        ({"message": "The order code is in use already, choose another"}, "duplicate-record"),
        # What is offline is the store, not the network.
        ({"message": "The offline database of this tablet is damaged"}, "local-database-damaged"),
        ({"message": "La base hors ligne de la tablette est endommagée"}, "local-database-damaged"),
        ({"message": "オフラインのデータベースが破損しています"}, "local-database-damaged"),
        # Who holds a record decides, and a missing list value is no missing record.
        ({"message": "The visit is being processed by user MEYER"}, "concurrent-change"),
        ({"message": "Value Fax is not in the list of channels"}, "picklist-value"),
        # The field outranks the object; the store of the server is not the device.
        ({"message": "You do not have permission to edit the field Rebate"}, "field-permission"),
        ({"message": "The cloud storage of your organization is full"}, "server-quota"),
        # A constraint of a database means what it constrains.
        ({"message": "null value in column qty violates the not-null constraint"}, "required-field"),
        (
            {"message": "delete on table site violates foreign key constraint, still referenced"},
            "delete-blocked",
        ),
        ({"message": "FEHLER: NULL-Wert in Spalte Anzahl verletzt Not-Null-Constraint"}, "required-field"),
        # The end of an event is no limit of dates, and a discount no length of a value.
        ({"message": "The end time must be later than the start time"}, "validation-rule"),
        ({"message": "De korting is hoger dan toegestaan voor deze klant"}, "validation-rule"),
    ],
)
def test_the_statement_decides(event: dict[str, str], cause: str):
    finding = analysis.classify(pd.DataFrame([event]), rules_only=True).iloc[0]
    assert finding.cause == cause, finding.rule


@pytest.mark.parametrize(
    "message",
    [
        "Algo salió mal",
        "An unexpected problem occurred",
        "Es ist ein Fehler aufgetreten",
        "The visit was not sent",
    ],
)
def test_a_message_that_states_nothing_stays_unknown(message: str):
    assert analysis.classify(pd.DataFrame([{"message": message}]), rules_only=True).cause[0] == "unknown"
