-- title: Veeva Settings not readable
-- severity: error
-- cause: object-permission
-- basis: Vault CRM
-- why: All users need Read on veeva_settings__v and on all its fields, or settings do not reach the device.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects > Veeva Settings: grant Read on the object and
--   on every field.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/VeevaCustomSettings.htm
-- proof: The device has no settings; after ten days without a sync, its widget shows no reminder. What a real
--   device does without settings is not documented.
-- needs: permission_grant
SELECT CASE field WHEN '*' THEN 'veeva_settings__v is not readable.'
        ELSE field || ' of veeva_settings__v is not readable.' END AS what,
    place, object, nullif(field, '*') AS field
FROM effective_grant
WHERE object = 'veeva_settings__v' AND can_read = false
