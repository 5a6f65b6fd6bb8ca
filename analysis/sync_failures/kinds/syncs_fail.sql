-- title: Syncs fail
-- noun: failed syncs
-- compare: rates
-- among: finished
-- usual: 0.05
-- dispersion: 1
-- users: 1
-- failures: yes
-- changes: setting app_version permission_set
-- causes: network server-unavailable rate-limit tls-certificate session-expired app-suspended local-state-mismatch
--   local-database-busy local-database-damaged device-storage-full
-- open: Whether the network, Vault or the device's database is the reason. Syncs fail in more than one phase.
-- A failed sync, in whichever phase.
SELECT sync_id, true AS starts FROM judged_sync
WHERE outcome IN ('failed', 'failed_upload', 'failed_download')
    AND NOT (outcome = 'failed_upload' AND coalesce(upload_errors, 0) > 0)
