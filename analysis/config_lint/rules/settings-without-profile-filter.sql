-- title: Profile settings are used, but their VMOC does not filter by profile
-- severity: warning
-- cause: sync-configuration
-- basis: Vault CRM
-- why: With settings per profile, the VMOC of veeva_settings__v must filter by @@USER_APP_PROFILE_ID@@,
--   or devices get the settings of others.
-- fix: Business Admin > VMobile Object Configurations: put the documented filter on the VMOC of
--   veeva_settings__v, then clear the cache.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/VeevaCustomSettings.htm
-- proof: The device goes by the value that is meant for another profile.
-- needs: vmoc veeva_setting
SELECT 'Settings are kept per profile, but the VMOC ' || label || ' does not filter by @@USER_APP_PROFILE_ID@@.' AS what,
    'VMOC ' || vmoc_id AS place, object, NULL::VARCHAR AS field
FROM now_vmoc
WHERE on_duty AND object = 'veeva_settings__v' AND coalesce(filter, '') NOT LIKE '%@@USER_APP_PROFILE_ID@@%'
    AND EXISTS (SELECT 1 FROM now_setting WHERE only_for IS NOT NULL)
