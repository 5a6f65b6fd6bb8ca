-- title: Downloads fail
-- noun: failed downloads
-- compare: rates
-- among: finished
-- usual: 0.02
-- dispersion: 1
-- users: 1
-- failures: yes
-- changes: vmoc permission_set setting object field app_version
-- next: config-changes errors-tab vmocs upload-vtrans api-usage-log
-- open: Whether a VMOC is invalid, the device cannot store the data, or the connection broke.
-- A failed sync whose upload was processed, or refused single records only, and whose download was not.
SELECT sync_id, true AS starts FROM judged_sync
WHERE outcome = 'failed_download'
    OR (outcome = 'failed_upload' AND upload_errors > 0 AND NOT download_processed)
