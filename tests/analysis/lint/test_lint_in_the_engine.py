"""What the lint calls an error breaks the sync of the reference engine; without it the engine syncs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import ingest
from analysis.linting import lint
from sync_engine.device.edits import ids_on
from sync_engine.vault import admin
from sync_engine.vmoc import vmoc
from synclens.configuration import configuration
from tests.analysis.fixes.clinic import Clinic


def metadata_api(clinic):
    admin.set_in_permission_set(
        clinic.vault, clinic.permission_set, "metadata_api", True, at=clinic.kernel.now
    )


def no_modified_date(clinic):
    admin.set_field_right(
        clinic.vault, clinic.permission_set, "account__v", "modified_date__v", "read", False,
        at=clinic.kernel.now,
    )  # fmt: skip


def account_vmoc(**values):
    def break_it(clinic):
        admin.set_vmoc(clinic.vault, "account__v", vmoc("account__v", **values), at=clinic.kernel.now)

    return break_it


def missing_object(clinic):
    admin.set_vmoc(clinic.vault, "goal__c", vmoc("goal__c", "full_object__v"), at=clinic.kernel.now)


FAULTS = {
    "metadata-api-for-end-users": metadata_api,
    "modified-date-not-readable": no_modified_date,
    "vmoc-missing-object": missing_object,
    "vmoc-where-unreadable": account_vmoc(where="WHERE (name__v = 'x'"),
    "vmoc-where-unknown-field": account_vmoc(where="WHERE gone__c = 'x'"),
    "vmoc-without-device": account_vmoc(devices=()),
}


def tell_configuration(clinic):
    """Load what the engine's Vault is configured to be, as an export would tell it."""
    now = datetime.fromtimestamp(clinic.kernel.now, UTC)
    ingest.append(clinic.store, configuration(clinic.vault, now), source="configuration", started_at=now)


def syncs_well(clinic) -> bool:
    """Whether a sync and a refresh report no error, and the device has its accounts."""
    before = clinic.errors()
    clinic.sync()
    clinic.refresh()
    return clinic.errors() == before and bool(ids_on(clinic.device, "account__v"))


@pytest.fixture
def clinic(store):
    made = Clinic(store)
    assert made.person.platform in ("iPad", "iPhone")
    yield made
    made.close()


def errors_of(found):
    return set(found.loc[found["severity"] != "note", "rule"])


def test_a_well_configured_vault_has_no_finding_and_syncs(clinic):
    tell_configuration(clinic)
    assert errors_of(lint(clinic.store)) == set()
    assert syncs_well(clinic)


@pytest.mark.parametrize("rule", FAULTS)
def test_what_is_found_breaks_the_sync(clinic, rule):
    FAULTS[rule](clinic)
    tell_configuration(clinic)
    assert errors_of(lint(clinic.store)) == {rule}
    assert not syncs_well(clinic)
