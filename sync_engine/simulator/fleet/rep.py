"""A rep at work: visits, edits, syncs, passwords, and reactions to errors."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from sync_engine.device import errors_tab, syncs
from sync_engine.device.client import Device
from sync_engine.device.edits import (
    Edit,
    correct_refused_edit,
    list_record_ids,
    new_mobile_id,
    read_record,
    save,
)
from sync_engine.device.sync_run import close_interrupted_syncs
from sync_engine.json_docs import JsonDict
from sync_engine.protocol import DeviceError, ProcessKilled
from sync_engine.simulator.fleet.environment import SimulatedEnv
from sync_engine.simulator.fleet.population import RepProfile
from sync_engine.simulator.scheduler import Sleep
from sync_engine.vault import admin, records
from sync_engine.vault.state import Vault

DAY = 86400.0


@dataclass(slots=True, kw_only=True)
class Rep:
    """A rep with a device, and the defect of the app build on it."""

    profile: RepProfile
    device: Device
    env: SimulatedEnv
    vault: Vault
    rng: Random
    bug: str | None = None
    silent_until: float = 0.0
    last_seen: float = 0.0
    overrides: JsonDict = field(default_factory=dict)

    async def work_days(self, first_midnight: float, days: int) -> None:
        """Simulate the rep's work on each day."""
        for day in range(days):
            morning = (
                first_midnight + day * DAY + (7.4 - self.profile.utc_hours + self.rng.uniform(0, 1.6)) * 3600
            )
            await self._sleep_until(morning)
            weekend = datetime.fromtimestamp(morning, UTC).weekday() >= 5
            if self.env.scheduler.now < self.silent_until or (weekend and self.rng.random() < 0.93):
                continue
            await self._run_guarded(self._work_day())

    async def _run_guarded(self, work: Awaitable[Any]) -> None:
        try:
            await work
        except ProcessKilled:
            self.device.start()
            close_interrupted_syncs(self.device)
        except DeviceError:
            # Saving failed on the device; the user continues.
            self.device.busy = False

    async def _sleep_until(self, wake_at: float) -> None:
        await Sleep(max(0.0, wake_at - self.env.scheduler.now))

    async def _work_day(self) -> None:
        await self._start_day()
        for _ in range(self.rng.randint(1, 5)):
            await Sleep(self.rng.uniform(1200, 6600))
            self._change_network()
            self._edit_something()
            self.last_seen = self.env.scheduler.now
            await syncs.autosync(self.device)
            if self.rng.random() < 0.08:
                await self._press_sync()
            elif self.rng.random() < 0.01:
                await self._add_account()
        await Sleep(self.rng.uniform(600, 5000))
        self.env.network_kind = self.rng.choice(["wifi", "wifi", "vpn"])
        if self.rng.random() < 0.55:
            await self._press_sync()
        self._handle_errors()

    async def _start_day(self) -> None:
        self.env.network_kind = self.rng.choice(["wifi", "wifi", "wifi", "cellular", "vpn"])
        self.last_seen = self.env.scheduler.now
        if not await self._sign_in():
            return
        if self.device.get("cursor_known") is None:
            if await syncs.database_refresh(self.device, "manual"):
                self.device.put("cursor_known", True)
        elif self.profile.refresh_mode:
            self._maybe_leave_app()
            await syncs.non_blocking(self.device)
            if self.rng.random() < 0.85:
                syncs.apply_update(self.device)
        elif self.rng.random() < 0.85:
            await self._press_sync()

    async def _press_sync(self) -> None:
        if self.device.session is None and not await self._sign_in():
            return
        if self.rng.random() < 0.01:
            self.env.network_kind = "none"
        if self.rng.random() < 0.012:
            self.device.cancel_at = self.env.now() + self.rng.uniform(2, 30)
        trigger = "forced" if self.device.get("refresh_wanted") == "forced" else "manual"
        try:
            await syncs.incremental(self.device, trigger)
        finally:
            self.device.cancel_at = None  # the Cancel button disappears at the end of the sync

    async def _add_account(self) -> None:
        """Add an account to the territory through search, and download it with a mini sync."""
        doc = {"name__v": f"Dr Found {self.rng.randint(100, 999)}", "territory__v": self.profile.territory}
        with self.vault.transaction():
            records.insert(self.vault, "account__v", doc, at=self.env.scheduler.now, by="network")
        await syncs.mini(self.device)

    def _maybe_leave_app(self) -> None:
        """Switch to another app during a quarter of the daily syncs."""
        if self.rng.random() < 0.25:
            self.env.scheduler.spawn(self._leave_app(), self.rng.uniform(1, 25))

    async def _leave_app(self) -> None:
        self.device.foreground = False
        await Sleep(self.rng.choice([120, 900, 4000, 20_000, 47_000]) * self.rng.uniform(0.5, 1.2))
        self.device.foreground = True

    async def _sign_in(self) -> bool:
        user = self.vault.live["user"][self.profile.user_id]
        if self.rng.random() < 0.004:
            password, self.device.password = self.device.password, "mistyped"
            await syncs.sign_in(self.device)
            self.device.password = password
        if await syncs.sign_in(self.device):
            return True
        if user["password_expired"] and self.rng.random() < 0.35:
            admin.set_user(
                self.vault,
                self.profile.user_id,
                at=self.env.scheduler.now,
                quiet=True,
                password_expired=False,
            )
            return await syncs.sign_in(self.device)
        return False

    def _change_network(self) -> None:
        kinds = ["wifi", "cellular", "cellular", "cellular", "none"]
        self.env.network_kind = self.rng.choice(kinds)

    def _edit_something(self) -> None:
        accounts = list_record_ids(self.device, "account__v")
        if not accounts:
            return
        choice = self.rng.random()
        if choice < 0.62:
            self._record_visit(self.rng.choice(accounts))
        elif choice < 0.8:
            self._edit_account(self.rng.choice(accounts))
        elif choice < 0.9:
            self._update_any("tsf__v", {"calls_goal__v": self.rng.randint(1, 30)})
        elif choice < 0.95:
            self._record_insight(self.rng.choice(accounts))
        elif choice < 0.98:
            self._update_any("address__v", {"postal_code__v": str(self.rng.randint(10000, 99999))})
        elif choice < 0.9985:
            self._delete_call()
        else:
            self._save(
                [
                    Edit(
                        operation="delete",
                        object="account__v",
                        record_id=self.rng.choice(accounts),
                        fields={},
                    )
                ]
            )

    def _save(self, edits: list[Edit]) -> None:
        save(self.device, edits)
        self.device.put("saved_since_sync", int(self.device.get("saved_since_sync", 0)) + len(edits))

    def _record_visit(self, account: str) -> None:
        products = list_record_ids(self.device, "product__v")
        call = new_mobile_id(self.device)
        fields = self._call_fields(account)
        edits = [Edit(operation="create", object="call2__v", record_id=call, fields=fields)]
        for n, product in enumerate(self.rng.sample(products, min(len(products), self.rng.randint(0, 2)))):
            detail = {"call2__v": call, "product__v": product, "detail_priority__v": n + 1}
            edits.append(
                Edit(
                    operation="create",
                    object="call2_detail__v",
                    record_id=new_mobile_id(self.device),
                    fields=detail,
                )
            )
        if products and self.rng.random() < 0.4:
            sample = {
                "call2__v": call,
                "product__v": self.rng.choice(products),
                "quantity__v": self.rng.randint(1, 12),
                "lot__v": f"L{self.rng.randint(1000, 9999)}",
            }
            if self.bug == "quantity_out_of_range" and self.rng.random() < 0.6:
                sample["quantity__v"] = self.rng.choice([0, -1, 5000])
            edits.append(
                Edit(
                    operation="create",
                    object="call2_sample__v",
                    record_id=new_mobile_id(self.device),
                    fields=sample,
                )
            )
        self._save(edits)

    def _call_fields(self, account: str) -> JsonDict:
        day = datetime.fromtimestamp(self.env.now() - DAY * self._days_late(), UTC).date()
        fields: JsonDict = {
            "account__v": account,
            "call_date__v": day.isoformat(),
            "status__v": "submitted__v" if self.rng.random() < 0.6 else "saved__v",
            "call_type__v": self.rng.choice(["detail_only__v", "call_only__v", "detail_with_samples__v"]),
            "call_channel__v": self.rng.choice(["face_to_face__v", "phone__v", "video__v"]),
            "duration__v": self.rng.choice([10, 15, 20, 30, 45]),
            "ownerid__v": self.overrides.get("owner", self.profile.user_id),
        }
        if self.rng.random() < 0.5:
            fields["next_call_notes__v"] = self.rng.choice(
                ["Bring study", "Follow up on dosage", "Nächste Woche"]
            )
        if self.bug == "malformed_reference" and self.rng.random() < 0.5:
            fields["account__v"] = self.rng.choice(["undefined", "null", "0", account[:9]])
        if self.bug == "long_text" and self.rng.random() < 0.5:
            fields["next_call_notes__v"] = "Follow up. " * 90
        if self.bug == "big_signature" and self.rng.random() < 0.3:
            fields["signature__v"] = "iVBORw0KGgo" * 30_000
        return fields

    def _days_late(self) -> int:
        return self.rng.choices((0, 1, 3, 8, 20), (80, 12, 5, 2, 1))[0]

    def _edit_account(self, account: str) -> None:
        fields: JsonDict = self.rng.choice(
            [
                {"phone__v": f"+{self.rng.randint(10**9, 10**10 - 1)}"},
                {"email__v": f"office{self.rng.randint(1, 999)}@example.org"},
                {"specialty__v": self.rng.choice(["cardiology__v", "oncology__v", "neurology__v"])},
                {"phone__v": f"+{self.rng.randint(10**9, 10**10 - 1)}", "status__v": "inactive__v"},
            ]
        )
        if self.overrides.get("npi") and self.rng.random() < 0.5:
            fields = {"npi__v": self.overrides["npi"]}
        self._save([Edit(operation="update", object="account__v", record_id=account, fields=fields)])

    def _record_insight(self, account: str) -> None:
        fields = {
            "account__v": account,
            "summary__v": self.rng.choice(
                ["Asked about trial data", "Pregunta por dosis", "Interesse an Studie"]
            ),
            "interest_level__v": self.rng.choice(["high__v", "medium__v", "low__v"]),
            "detail__c": self.rng.choice(["formulary", "access", "dosing"]),
        }
        self._save(
            [
                Edit(
                    operation="create",
                    object="medical_insight__v",
                    record_id=new_mobile_id(self.device),
                    fields=fields,
                )
            ]
        )

    def _update_any(self, object_name: str, fields: JsonDict) -> None:
        ids = list_record_ids(self.device, object_name)
        if ids:
            record_id = self.rng.choice(ids)
            self._save([Edit(operation="update", object=object_name, record_id=record_id, fields=fields)])

    def _delete_call(self) -> None:
        """Delete a call, usually one that is not submitted. A submitted call is locked."""
        calls = list_record_ids(self.device, "call2__v")
        if self.rng.random() < 0.85:
            calls = [
                call
                for call in calls
                if (read_record(self.device, call) or {}).get("status__v") == "saved__v"
            ]
        if calls:
            call = self.rng.choice(calls)
            self._save([Edit(operation="delete", object="call2__v", record_id=call, fields={})])

    def _handle_errors(self) -> None:
        for entry in errors_tab.entries(self.device):
            age = self.env.now() - entry.opened_at
            if age < 0.8 * DAY or self.rng.random() > 0.45:
                continue
            try:
                if "undo" in entry.actions:
                    errors_tab.undo(self.device, entry.key)
                elif "undelete" in entry.actions:
                    errors_tab.undelete(self.device, entry.key)
                elif not self._correct_entry(entry) and age > 3 * DAY:
                    self._call_support()
            except ValueError:
                self._call_support()

    def _correct_entry(self, entry: errors_tab.Entry) -> bool:
        """Correct a refused record as its user would. Returns False if the user cannot correct it."""
        accounts = list_record_ids(self.device, "account__v")
        corrections: dict[str, JsonDict] = {
            "call2__v": {
                "next_call_notes__v": "Asked for the study",
                "account__v": self.rng.choice(accounts or [""]),
            },
            "medical_insight__v": {"interest_level__v": "high__v"},
            "call2_sample__v": {"quantity__v": 2},
        }
        if entry.field == "call_date__v":
            today = datetime.fromtimestamp(self.env.now(), UTC).date().isoformat()
            corrections["call2__v"]["call_date__v"] = today
        if entry.type == "INSUFFICIENT_ACCESS" or entry.object not in corrections or not accounts:
            return False
        correct_refused_edit(self.device, entry.key, entry.record_id, corrections[entry.object])
        return True

    def _call_support(self) -> None:
        if self.rng.random() < 0.3:
            admin.set_user(
                self.vault,
                self.profile.user_id,
                at=self.env.scheduler.now,
                clear_client_sync_errors__v=True,
            )
