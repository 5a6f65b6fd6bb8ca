-- title: Too many accounts on a device
-- severity: error
-- cause: sync-configuration
-- basis: Vault CRM
-- why: More accounts than the limit (default: 15,000 on iOS, 50,000 on Windows) make the app slow and show
--   TOO_MANY_ACCOUNTS.
-- fix: Narrow the territory or the account VMOC of this user. Do not raise the limit, which is Veeva-internal.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/SyncSettings.htm
-- proof: With 15,001 accounts in scope, each sync of an iPad reports TOO_MANY_ACCOUNTS. A pull does not contain
--   what devices hold; only reports from devices do.
-- needs: device
WITH device_limit AS (
    SELECT d.*, CASE WHEN d.platform = 'Windows'
        THEN coalesce((SELECT max(number) FROM current_setting WHERE name = 'max_accounts__v'), 50000)
        ELSE coalesce((SELECT max(number) FROM current_setting WHERE name = 'max_accounts_ipad__v'), 15000) END AS most
    FROM current_device AS d
)
SELECT device_id || ' holds ' || accounts || ' accounts, the limit is ' || most::BIGINT || '.' AS what,
    'device ' || device_id || coalesce(' of user ' || user_id, '') AS place, 'account__v' AS object, NULL::VARCHAR AS field
FROM device_limit
WHERE accounts > most
