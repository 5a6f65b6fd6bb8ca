"""Run one rep with one device and one Vault of the reference engine, and load their reports into a store."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from random import Random

import ingest
from sync_engine.device import syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import Edit, list_pending_edits, list_record_ids, new_mobile_id, save
from sync_engine.simulator.fleet.environment import GroundTruth, SimulatedEnv
from sync_engine.simulator.fleet.population import populate_vault
from sync_engine.simulator.scheduler import Scheduler
from sync_engine.vault import admin, tracking
from sync_engine.vault.state import Vault

START = datetime(2026, 3, 2, 8, tzinfo=UTC).timestamp()


class EngineHarness:
    """One rep with one device, their Vault, and a store of its reports."""

    def __init__(self, store, seed=1):
        self.store = store
        self.scheduler = Scheduler(START)
        self.vault = Vault(sqlite3.connect(":memory:"), epoch="1")
        self.ground_truth = GroundTruth(self.vault)
        self.vault.on_refusal = self.ground_truth.record_refusal
        self.person = populate_vault(self.vault, Random(f"{seed}/people"), 1, START - 86_400, {})[0]
        user = self.vault.live["user"][self.person.user_id]
        self.permission_set = user["permission_set"]
        self.env = SimulatedEnv(
            device_id=self.person.device_id, platform=self.person.platform, scheduler=self.scheduler,
            ground_truth=self.ground_truth, seed=seed, background_rate=0.0,
        )  # fmt: skip
        self.device = Device(
            device_id=self.person.device_id, user_id=self.person.user_id, password=user["password"],
            platform=self.person.platform, version=self.person.version, model=self.person.model,
            os_version=self.person.os_version, env=self.env,
        )  # fmt: skip
        self.run(syncs.sign_in(self.device))
        self.run(syncs.database_refresh(self.device))

    def run(self, task):
        """Run one task for up to an hour."""
        self.scheduler.spawn(task)
        self.scheduler.run_until(self.scheduler.now + 3_600)

    def sync(self):
        """Run an incremental sync and load its reports."""
        self._run_and_load(syncs.incremental)

    def refresh(self):
        """Run a database refresh and load its reports."""
        self._run_and_load(syncs.database_refresh)

    def count_errors(self):
        """Count the errors in the store."""
        return self.store.execute("SELECT count(*) FROM sync_error").fetchone()[0]

    def _run_and_load(self, sync):
        since = self.scheduler.now
        self.run(sync(self.device))
        rows, self.ground_truth.rows = self.ground_truth.rows, []
        rows += tracking.read_tracking_records(self.vault, since, self.scheduler.now)
        ingest.append(
            self.store, rows, source="engine", started_at=datetime.fromtimestamp(self.scheduler.now, UTC)
        )

    def deny(self, right, object_name):
        """Remove a right on an object from the user's permission set."""
        admin.set_object_permission(
            self.vault, self.permission_set, object_name, right, False, at=self.scheduler.now
        )

    def update(self, account):
        """Save a change of an account."""
        save(
            self.device,
            [Edit(operation="update", object="account__v", record_id=account, fields={"phone__v": "1"})],
        )

    def delete(self, account):
        """Save the deletion of an account."""
        save(self.device, [Edit(operation="delete", object="account__v", record_id=account, fields={})])

    def create_call(self, account):
        """Save a call and a child record as one transaction; return their ids."""
        call, detail = new_mobile_id(self.device), new_mobile_id(self.device)
        call_fields = {"account__v": account, "status__v": "saved__v", "call_date__v": "2026-03-02"}
        product = list_record_ids(self.device, "product__v")[0]
        save(self.device, [
            Edit(operation="create", object="call2__v", record_id=call, fields=call_fields),
            Edit(operation="create", object="call2_detail__v", record_id=detail,
                 fields={"call2__v": call, "product__v": product}),
        ])  # fmt: skip
        return {call, detail}

    def pending_ids(self):
        """Return the ids of the pending records."""
        return {record_id for _, record_id, _, _, _ in list_pending_edits(self.device)}

    def set_flags(self, **flags):
        """Set flags on the user record."""
        admin.set_user(self.vault, self.person.user_id, at=self.scheduler.now, **flags)

    def close(self):
        self.scheduler.close()
        self.env.close()
        self.vault.db.close()
