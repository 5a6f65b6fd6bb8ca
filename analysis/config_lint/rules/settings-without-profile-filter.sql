-- title: Profile settings without a profile filter
-- severity: warning
-- cause: sync-configuration
-- basis: Vault CRM
-- why: If settings differ by profile, the VMOC of veeva_settings__v must filter by @@USER_APP_PROFILE_ID@@, or
--   devices receive the settings of other profiles.
-- fix: Business Admin > VMobile Object Configurations: add the documented filter to the VMOC of veeva_settings__v,
--   then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/VeevaCustomSettings.htm
-- proof: The device uses the value of another profile.
-- needs: vmoc veeva_setting
SELECT 'Settings are kept per profile, but the VMOC ' || label || ' does not filter by @@USER_APP_PROFILE_ID@@.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM current_vmoc
WHERE is_active AND object = 'veeva_settings__v' AND coalesce(filter, '') NOT LIKE '%@@USER_APP_PROFILE_ID@@%'
    AND EXISTS (SELECT 1 FROM current_setting WHERE only_for IS NOT NULL)
