-- title: Calls on merged accounts are not moved
-- severity: warning
-- cause: record-deleted
-- basis: Vault CRM
-- why: With disable_veeva_merge__v on, calls made offline on an account that was merged away are not
--   moved to the winner, and fail.
-- fix: Switch disable_veeva_merge__v off in Veeva Settings and grant the object permissions that merging
--   needs; then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Accounts/ManagingAccountInfo/Account_Merge_Administration.htm
-- proof: A call made offline on an account that was merged away is refused; otherwise it moves to the
--   winner.
-- needs: veeva_setting
SELECT 'disable_veeva_merge__v is ' || value || '.' AS what,
    'setting disable_veeva_merge__v' || coalesce(' for ' || only_for, '') AS place, 'veeva_settings__v' AS object, name AS field
FROM now_setting
WHERE name = 'disable_veeva_merge__v' AND lower(trim(value)) IN ('true', '1', '1.0', 'yes')
