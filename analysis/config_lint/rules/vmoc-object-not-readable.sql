-- title: VMOCs not readable
-- severity: error
-- cause: object-permission
-- basis: Vault CRM
-- why: All users need at least Read on vmobile_object_configuration__v, or incremental sync does not work
--   correctly.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects: grant Read on
--   vmobile_object_configuration__v.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: An account that changed in Vault is not updated on the device, and each sync reports it.
-- needs: permission_grant
SELECT 'vmobile_object_configuration__v is not readable.' AS what, place, object, NULL::VARCHAR AS field
FROM effective_grant
WHERE object = 'vmobile_object_configuration__v' AND field = '*' AND can_read = false
