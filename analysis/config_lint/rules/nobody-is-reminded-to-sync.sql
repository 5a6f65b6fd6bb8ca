-- title: No sync reminders
-- severity: note
-- cause: local-state-mismatch
-- basis: Vault CRM
-- why: sync_warn_interval__v is 0, so users get no reminder after days without a sync, and devices become stale
--   unnoticed.
-- fix: Set sync_warn_interval__v in Veeva Settings to a number of days, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/SyncSettings.htm
-- proof: After ten days without a sync, the Sync widget shows no reminder.
-- needs: veeva_setting
SELECT 'sync_warn_interval__v is 0.' AS what, 'setting sync_warn_interval__v' || coalesce(' for ' || only_for, '') AS place,
    'veeva_settings__v' AS object, name AS field
FROM current_setting
WHERE name = 'sync_warn_interval__v' AND number = 0
