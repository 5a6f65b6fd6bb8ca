-- title: Application profiles not readable
-- severity: warning
-- cause: object-permission
-- basis: Vault CRM
-- why: VMOCs and settings are scoped by application profile, and the device must be able to read
--   application_profile__v.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects: grant Read on application_profile__v.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/ApplicationProfiles.htm
-- proof: The device skips a VMOC for the user's own profile, so its object does not sync. How a real device fails
--   without this permission is not documented.
-- needs: permission_grant
SELECT 'application_profile__v is not readable.' AS what, place, object, NULL::VARCHAR AS field
FROM effective_grant
WHERE object = 'application_profile__v' AND field = '*' AND can_read = false
