-- title: Application profiles may not be read
-- severity: warning
-- cause: object-permission
-- basis: Vault CRM
-- why: VMOCs and settings are scoped by application profile, and the device must be able to read
--   application_profile__v.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects: grant Read on
--   application_profile__v.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/SettingUp/ApplicationProfiles.htm
-- needs: permission_grant
SELECT 'application_profile__v may not be read.' AS what, place, object, NULL::VARCHAR AS field
FROM may
WHERE object = 'application_profile__v' AND field = '*' AND can_read = false
