-- title: Calls on merged accounts not moved
-- severity: warning
-- cause: record-deleted
-- basis: Vault CRM
-- why: With disable_veeva_merge__v on, calls created offline on an account that was merged are not moved to the
--   winning account, and fail.
-- fix: Switch off disable_veeva_merge__v in Veeva Settings and grant the object permissions that a merge requires;
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Accounts/ManagingAccountInfo/Account_Merge_Administration.htm
-- proof: A call created offline on a merged account is rejected; with `disable_veeva_merge__v` off, it moves to the winning
--   account.
-- needs: veeva_setting
SELECT 'disable_veeva_merge__v is ' || value || '.' AS what,
    'setting disable_veeva_merge__v' || coalesce(' for ' || only_for, '') AS place, 'veeva_settings__v' AS object, name AS field
FROM current_setting
WHERE name = 'disable_veeva_merge__v' AND lower(trim(value)) IN ('true', '1', '1.0', 'yes')
