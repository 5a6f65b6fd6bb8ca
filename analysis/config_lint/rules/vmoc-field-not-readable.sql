-- title: A field of the VMOCs may not be read
-- severity: error
-- cause: field-permission
-- basis: Vault CRM
-- why: All users need Read on all fields of vmobile_object_configuration__v, named are modified_date__v
--   and application_profile__v; otherwise incremental sync misbehaves.
-- fix: Admin > Users & Groups > Permission Sets > the set > Objects > VMobile Object Configuration:
--   grant Read on every field.
-- source: https://vaultcrmhelp.veeva.com/doc/Content/CRM_topics/Getting_Started/MobileDeviceSetup/Sync/VMOCs.htm
-- proof: An account that was changed in Vault stays as it was on the device, and each sync reports it.
-- needs: permission_grant
SELECT field || ' of vmobile_object_configuration__v may not be read.' AS what, place, object, field
FROM may
WHERE object = 'vmobile_object_configuration__v' AND field <> '*' AND can_read = false
