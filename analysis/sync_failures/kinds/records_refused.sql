-- title: Vault refuses records
-- noun: syncs with refused records
-- compare: rates
-- among: finished
-- usual: 0.03
-- dispersion: 1
-- users: 3
-- failures: yes
-- changes: validation_rule field object permission_set setting territory app_version
-- causes: validation-rule required-field picklist-value field-permission object-permission record-visibility
--   record-locked record-deleted concurrent-change invalid-reference invalid-value inactive-owner duplicate-record
--   delete-blocked date-limit server-automation payload-too-large device-clock
-- excludes: Sign-in and a full outage: Vault answered the upload of all {syncs} and refused single records.
-- open: Which records Vault refuses, and why. Tracking only counts them.
-- A sync in which Vault refused at least one record. The device sends such a record again in each later sync, so only
-- a sync with more refused records than the one before counts as a start.
SELECT sync_id, starts FROM (
    SELECT sync_id, outcome, upload_errors,
        upload_errors > coalesce(lag(upload_errors) OVER (PARTITION BY who ORDER BY started_at, sync_id), 0)
            AS starts
    FROM judged_sync
)
WHERE upload_errors > 0 AND outcome <> 'canceled'
