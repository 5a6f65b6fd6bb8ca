-- title: Changed account limit
-- severity: warning
-- cause: sync-configuration
-- basis: Vault CRM
-- why: max_accounts__v and max_accounts_ipad__v are Veeva-internal and should stay at 50,000 and 15,000; more
--   accounts make the app slow.
-- fix: Reset the value in Veeva Settings and reduce what syncs instead.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/SyncSettings.htm
-- proof: Above 15,000 accounts on an iPad there is no warning any more. That the app then becomes slow is stated
--   by Veeva; the engine cannot show it.
-- needs: veeva_setting
SELECT name || ' is ' || value || '.' AS what, 'setting ' || name || coalesce(' for ' || only_for, '') AS place,
    'veeva_settings__v' AS object, name AS field
FROM current_setting
WHERE name = 'max_accounts__v' AND number <> 50000 OR name = 'max_accounts_ipad__v' AND number <> 15000
