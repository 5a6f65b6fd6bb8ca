-- title: The account limit was changed
-- severity: warning
-- cause: sync-configuration
-- basis: Vault CRM
-- why: max_accounts__v and max_accounts_ipad__v are Veeva-internal and should stay at 50,000 and 15,000;
--   more accounts make the app slow.
-- fix: Set the value back in Veeva Settings and narrow what syncs instead.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/SyncSettings.htm
-- proof: Above 15,000 accounts on an iPad nothing warns any more. That the app is then slow is Veeva's
--   word; an engine cannot show it.
-- needs: veeva_setting
SELECT name || ' is ' || value || '.' AS what, 'setting ' || name || coalesce(' for ' || only_for, '') AS place,
    'veeva_settings__v' AS object, name AS field
FROM now_setting
WHERE name = 'max_accounts__v' AND number <> 50000 OR name = 'max_accounts_ipad__v' AND number <> 15000
