-- title: Downloads fail
-- noun: failed downloads
-- compare: rates
-- among: finished
-- usual: 0.02
-- dispersion: 1
-- users: 1
-- failures: yes
-- changes: vmoc permission_set setting object field app_version
-- causes: sync-configuration schema-mismatch field-permission local-state-mismatch local-database-busy
--   local-database-damaged device-storage-full app-suspended network server-unavailable
-- excludes: Sign-in, permissions to sync and the upload: Vault processed the upload of all {syncs}.
-- open: Whether a VMOC is invalid, the device cannot store the data, or the connection broke.
-- A failed sync whose upload was processed, or refused single records only, and whose download was not.
SELECT sync_id, true AS starts FROM judged_sync
WHERE outcome = 'failed_download'
    OR (outcome = 'failed_upload' AND upload_errors > 0 AND NOT download_processed)
