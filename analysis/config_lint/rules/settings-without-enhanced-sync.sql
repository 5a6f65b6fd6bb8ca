-- title: Profile settings without Enhanced Sync
-- severity: warning
-- cause: local-state-mismatch
-- basis: Vault CRM
-- why: If settings differ by profile and the VMOC of veeva_settings__v has no Enhanced Sync, users who change
--   their profile get a forced full refresh.
-- fix: Business Admin > VMobile Object Configurations: enable Enhanced Sync on the VMOC of veeva_settings__v, then
--   clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/VeevaCustomSettings.htm
-- proof: The first sync after a profile change downloads the whole database.
-- needs: vmoc
SELECT 'The VMOC ' || label || ' filters settings by profile without Enhanced Sync.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM current_vmoc
WHERE is_active AND object = 'veeva_settings__v' AND filter LIKE '%@@USER_APP_PROFILE_ID@@%'
    AND regexp_matches(lower(coalesce(extra, '')), '"\w*enhanced_?sync\w*"\s*:\s*"?(false|0|no)\b')
